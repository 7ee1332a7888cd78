//! `ZoneGateCall`: one call of a gate in a zone, that is made more than once or put right later.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::in_force::InForce;
use super::limits::Limits;
use crate::gate::{Question, ZoneGate};
use crate::python::gate::{Choice, PyGateDecision, Receipts, Used};

/// A call of a gate in a zone, which remembers its keys.
#[pyclass(frozen, name = "ZoneGateCall", module = "sluicegate._core")]
pub(in crate::python) struct PyZoneGateCall {
    in_force: Arc<InForce>,
    limits: Arc<Limits>,
    questions: Vec<Question>,
    /// The limits that are chosen; `None`: all.
    chosen: Option<Arc<Choice>>,
    cost: Py<PyAny>,
    /// By what it was admitted, until somebody holds that.
    admitted: Mutex<Option<Py<PyGateDecision>>>,
}

impl PyZoneGateCall {
    pub(super) fn new(
        in_force: &Arc<InForce>,
        keys: &Bound<'_, PyAny>,
        cost: &Bound<'_, PyAny>,
        verb: Option<&str>,
        chosen: Option<Arc<Choice>>,
    ) -> PyResult<Self> {
        let limits = in_force.limits();
        if let Some(verb) = verb {
            limits.layout.without_permits(chosen.as_deref(), verb)?;
        }
        let questions = limits.questions(chosen.as_deref(), keys, Some(cost))?;
        Ok(Self {
            in_force: Arc::clone(in_force),
            limits,
            questions: questions.into_vec(),
            chosen,
            cost: cost.clone().unbind(),
            admitted: Mutex::default(),
        })
    }

    /// Permits are given back, should a signal's handler raise before anybody holds the decision.
    fn remember(&self, decision: Option<Py<PyGateDecision>>) -> Option<Py<PyGateDecision>> {
        let mut now = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *now, decision)
    }

    fn used(&self, actual: &Bound<'_, PyAny>) -> PyResult<Used> {
        let (chosen, cost) = (self.chosen.as_deref(), self.cost.bind(actual.py()));
        self.limits.used(chosen, &self.questions, cost, actual)
    }
}

#[pymethods]
impl PyZoneGateCall {
    /// Whether the limits that it was made for are in force.
    #[getter]
    fn is_current(&self) -> bool {
        self.in_force.is_by(&self.limits)
    }

    /// The limits that it concerns, by name, and the key at each.
    fn places<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (places, names) = (PyDict::new(py), &self.limits.layout.names);
        for question in &self.questions {
            let (name, key) = (&*names[question.limit], question.key);
            let bytes = [key.shard(), key.hash()].map(u64::to_le_bytes).concat();
            places.set_item(name, (name, PyBytes::new(py, &bytes)))?;
        }
        Ok(places)
    }

    /// Look.
    fn peek(&self, py: Python<'_>) -> PyResult<Py<PyGateDecision>> {
        self.limits.ask(py, &self.questions, ZoneGate::peek)
    }

    /// Decide and spend; permits are kept.
    fn check(&self, py: Python<'_>) -> PyResult<Py<PyGateDecision>> {
        let told = self.limits.spend(py, &self.questions)?;
        drop(self.remember(self.has_permits().then(|| told.clone_ref(py))));
        Ok(told)
    }

    /// Give all back that it was admitted to, as nobody came to know of it.
    fn give_up(&self, py: Python<'_>) -> PyResult<()> {
        match self.remember(None) {
            Some(decision) => self.limits.end(py, &self.questions, decision.get(), true),
            None => Ok(()),
        }
    }

    /// Whether permits are among what is asked for.
    #[getter]
    fn has_permits(&self) -> bool {
        let asked = self.questions.iter().map(|question| question.limit);
        self.limits.layout.has_permits(asked)
    }

    /// Whether the limit of that name is of permits.
    fn are_permits(&self, name: &str) -> bool {
        let layout = &self.limits.layout;
        let place = layout.place_of(name);
        place.is_some_and(|place| layout.parts[place].are_permits())
    }

    /// Raise what `settle` would, and do nothing.
    #[pyo3(signature = (actual))]
    fn examine(&self, actual: &Bound<'_, PyAny>) -> PyResult<()> {
        self.used(actual).map(drop)
    }

    /// Put right what was spent, by what was used of each unit, or at each limit that was chosen.
    #[pyo3(signature = (decision, actual))]
    fn settle(
        &self,
        decision: &Bound<'_, PyGateDecision>,
        actual: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let used = self.used(actual)?;
        self.limits
            .settle(actual.py(), &self.questions, decision.get(), &used)
    }

    /// Give the permits back, or all that was spent.
    #[pyo3(signature = (decision, is_cancelled))]
    fn end(&self, decision: &Bound<'_, PyGateDecision>, is_cancelled: bool) -> PyResult<()> {
        drop(self.remember(None));
        self.limits
            .end(decision.py(), &self.questions, decision.get(), is_cancelled)
    }
}
