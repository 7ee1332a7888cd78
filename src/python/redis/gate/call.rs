//! `RedisGateCall`: one call that is made more than once, or is put right later.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::limits::{Asked, Held, Limits, begun};
use super::sent;
use crate::python::gate::{Choice, PyGateDecision, Used};
use crate::python::redis::blocking;
use crate::python::redis::bridge::PyBridge;
use crate::store::redis::{Request, Verb};

/// A call of a gate in Redis, which remembers its keys.
#[pyclass(frozen, name = "RedisGateCall", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisGateCall {
    pub(super) limits: Arc<Limits>,
    pub(super) questions: Vec<Asked>,
    /// The limits that are chosen; `None`: all.
    pub(super) chosen: Option<Arc<Choice>>,
    pub(super) cost: Py<PyAny>,
    /// The permits that it may hold since it was asked last.
    pub(super) held: Mutex<Vec<Held>>,
}

impl PyRedisGateCall {
    fn hold(&self, held: Vec<Held>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    fn used(&self, actual: &Bound<'_, PyAny>) -> PyResult<Used> {
        let (chosen, cost) = (self.chosen.as_deref(), self.cost.bind(actual.py()));
        self.limits.used(chosen, &self.questions, cost, actual)
    }

    fn ended(
        &self,
        decision: &Bound<'_, PyGateDecision>,
        actual: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<Request>> {
        let used = actual.map(|actual| self.used(actual)).transpose()?;
        self.limits.end(&self.questions, decision, used.as_ref())
    }
}

#[pymethods]
impl PyRedisGateCall {
    /// The limits that it concerns, by name, and the key at each.
    fn places<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (places, names) = (PyDict::new(py), &self.limits.layout.names);
        for question in &self.questions {
            let name = &*names[question.limit];
            places.set_item(name, (name, PyBytes::new(py, &question.key)))?;
        }
        Ok(places)
    }

    /// Begin to look.
    fn begin_look<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let call = self.limits.call(Verb::Peek, &self.questions)?;
        begun(py, &self.limits.route, bridge, future, call)
    }

    /// Look. Blocks this thread.
    fn look(&self, py: Python<'_>) -> PyResult<Py<PyGateDecision>> {
        self.limits.asked(py, Verb::Peek, &self.questions, drop)
    }

    /// Begin to decide and spend: the decision if it needs no server, else True if a flush is to be planned.
    fn begin<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (call, held) = self.limits.call_for_permits(Verb::Check, &self.questions)?;
        self.hold(held);
        begun(py, &self.limits.route, bridge, future, call)
    }

    /// Decide and spend. Blocks this thread.
    fn ask(&self, py: Python<'_>) -> PyResult<Py<PyGateDecision>> {
        let hold = |held| self.hold(held);
        let told = self.limits.asked(py, Verb::Check, &self.questions, hold);
        if told.is_err() {
            self.give_up(py)?; // a signal's handler may have raised while the server decided
        }
        told
    }

    /// Give the permits up that nobody takes who asked for them, without waiting for the server.
    fn give_up(&self, py: Python<'_>) -> PyResult<()> {
        let held = take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        let requests = held
            .into_iter()
            .filter_map(|held| self.limits.given_up(held));
        let requests: Vec<_> = requests.collect();
        if !requests.is_empty() {
            blocking::post(&self.limits.route.get()?, requests);
        }
        self.limits.renew(py, &self.questions)
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

    /// Have permits renewed, once some may be held.
    fn renew(&self, py: Python<'_>) -> PyResult<()> {
        self.limits.renew(py, &self.questions)
    }

    /// Raise what ending a reservation by these units would.
    #[pyo3(signature = (actual))]
    fn examine(&self, actual: &Bound<'_, PyAny>) -> PyResult<()> {
        self.used(actual).map(drop)
    }

    /// Put right what was spent, by what was used of each unit or at each limit that was chosen, or give
    /// all back, and give the permits back: one request each, for what `new_future` gives.
    #[pyo3(signature = (bridge, new_future, decision, actual))]
    fn begin_end<'py>(
        &self,
        bridge: &PyBridge,
        new_future: &Bound<'py, PyAny>,
        decision: &Bound<'py, PyGateDecision>,
        actual: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let requests = self.ended(decision, actual)?;
        sent(&self.limits, bridge, new_future, requests)
    }

    /// The same. Blocks this thread.
    #[pyo3(signature = (decision, actual))]
    fn ask_end(
        &self,
        decision: &Bound<'_, PyGateDecision>,
        actual: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let requests = self.ended(decision, actual)?;
        super::all_answered(decision.py(), &self.limits, requests)
    }

    /// Give the permits of a decision back, without waiting for the server.
    fn abandon(&self, decision: &Bound<'_, PyGateDecision>) -> PyResult<()> {
        let requests = self.limits.released(&self.questions, decision)?;
        if !requests.is_empty() {
            blocking::post(&self.limits.route.get()?, requests);
        }
        self.limits.renew(decision.py(), &self.questions)
    }
}
