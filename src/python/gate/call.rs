//! `GateCall`: one call that waits, or is put right later.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyMapping, PyString};
use pyo3::{PyTraverseError, PyVisit};

use super::asking::Choice;
use super::decision::PyGateDecision;
use super::in_force::InForce;
use super::limits::{Asked, Limits, asks};
use super::receipts::Receipts;
use crate::clock::Ticks;
use crate::gate::{GateJoined, GateTicket, Question, Settled};
use crate::python::arguments;
use crate::python::limits_off::limits_are_off;
use crate::python::patiently;
use crate::store::Wake;

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// A call of a gate, which remembers its keys.
#[pyclass(frozen, name = "GateCall", module = "sluicegate._core")]
pub(in crate::python) struct PyGateCall {
    in_force: Arc<InForce>,
    /// Its gate, which the garbage collector has to see: it looks there for the functions of the limits.
    gate: Py<PyAny>,
    keys: Py<PyAny>,
    cost: Py<PyAny>,
    /// The verb, where no permit may be kept.
    verb: Option<String>,
    /// The limits that are chosen; `None`: all.
    chosen: Option<Arc<Choice>>,
    /// What the limits in force were asked at last.
    asked: Mutex<Asked>,
    /// By what it was admitted, until somebody holds that.
    admitted: Mutex<Option<Py<PyGateDecision>>>,
}

/// What came of lining up.
pub(super) enum Joined {
    Settled(Py<PyGateDecision>),
    Queued(GateTicket, Option<Ticks>),
}

impl PyGateCall {
    pub(super) fn new(
        in_force: &Arc<InForce>,
        gate: Py<PyAny>,
        keys: Any<'_, '_>,
        cost: Any<'_, '_>,
        verb: Option<String>,
        chosen: Option<Arc<Choice>>,
    ) -> PyResult<Self> {
        // The caller's own mappings may change while the call waits.
        let (keys, cost) = (copied(keys)?, copied(cost)?);
        let asked = asked(in_force, &keys, &cost, verb.as_deref(), chosen.as_deref())?;
        Ok(Self {
            in_force: Arc::clone(in_force),
            gate,
            keys: keys.unbind(),
            cost: cost.unbind(),
            verb,
            chosen,
            asked: Mutex::new(asked),
            admitted: Mutex::default(),
        })
    }

    fn asked(&self) -> Asked {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the limits that it was made for are in force.
    pub(super) fn is_current(&self) -> bool {
        self.in_force.is_by(&self.asked().limits)
    }

    /// What the limits that are in force now are asked.
    fn current(&self, py: Python<'_>) -> PyResult<Asked> {
        if self.is_current() {
            Ok(self.asked())
        } else {
            self.renew(py)
        }
    }

    /// Ask those that are in force now.
    fn renew(&self, py: Python<'_>) -> PyResult<Asked> {
        let (keys, cost) = (self.keys.bind(py), self.cost.bind(py));
        let (verb, chosen) = (self.verb.as_deref(), self.chosen.as_deref());
        let asked = asked(&self.in_force, keys, cost, verb, chosen)?;
        let before = {
            let mut now = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *now, asked.clone())
        };
        drop(before); // and with it perhaps what is Python's
        Ok(asked)
    }

    pub(super) fn now(&self) -> Ticks {
        self.asked().limits.now()
    }

    pub(super) fn has_manual_clock(&self) -> bool {
        self.asked().limits.has_manual_clock()
    }

    /// What it is told while limits are off.
    pub(super) fn untouched(&self, py: Python<'_>) -> PyResult<Py<PyGateDecision>> {
        let Asked { limits, questions } = self.asked();
        let (asks, verdict) = limits.untouched(&questions);
        Py::new(py, limits.told(&asks, &verdict))
    }

    /// What it is told when it is decided after a wait.
    pub(super) fn told(&self, py: Python<'_>, settled: &Settled) -> PyResult<Py<PyGateDecision>> {
        let Asked { limits, questions } = self.asked();
        limits.count(settled.verdict.allowed);
        let told = Py::new(py, limits.told_after_wait(&questions, settled))?;
        self.remember(&limits, &questions, Some(told.clone_ref(py)));
        Ok(told)
    }

    /// Permits are given back, should a signal's handler raise before anybody holds the decision.
    fn remember(
        &self,
        limits: &Limits,
        questions: &[Question],
        decision: Option<Py<PyGateDecision>>,
    ) {
        let asked = questions.iter().map(|question| question.limit);
        if limits.layout.has_permits(asked) {
            let before = {
                let mut now = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::replace(&mut *now, decision)
            };
            drop(before); // without the lock: it is Python's
        }
    }

    /// Line up, unless it is decided at once. One that had lined up before keeps its number.
    pub(super) fn join(
        &self,
        py: Python<'_>,
        timeout: Option<Ticks>,
        mut number: Option<u64>,
        wake: &Arc<dyn Wake>,
    ) -> PyResult<Joined> {
        loop {
            if limits_are_off() {
                return self.untouched(py).map(Joined::Settled);
            }
            let Asked { limits, questions } = self.current(py)?;
            let wanted = (timeout, number);
            let joined = patiently(py, |patience| {
                limits.gate.join(&questions, wanted, wake, patience)
            })?;
            match joined {
                GateJoined::Settled(settled) => {
                    return self.told(py, &settled).map(Joined::Settled);
                }
                GateJoined::Queued { ticket, poll_at } => {
                    // Those that wait when limits go off are woken; later ones find out here.
                    if !limits_are_off() {
                        return Ok(Joined::Queued(ticket, poll_at));
                    }
                }
                GateJoined::Gone(its) => number = Some(its),
            }
        }
    }
}

/// A mapping as it is now; what is none is itself.
fn copied<'py>(given: Any<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    // Most are none, and asking what a mapping is may run a signal's handler, whose exception is lost.
    let is_plain = given.is_instance_of::<PyString>() || given.is_instance_of::<PyInt>();
    let Some(mapping) = (!is_plain)
        .then(|| given.cast::<PyMapping>().ok())
        .flatten()
    else {
        return Ok(given.clone());
    };
    let copy = PyDict::new(given.py());
    copy.update(mapping)?;
    Ok(copy.into_any())
}

/// What the limits in force are asked.
fn asked(
    in_force: &InForce,
    keys: Any<'_, '_>,
    cost: Any<'_, '_>,
    verb: Option<&str>,
    chosen: Option<&Choice>,
) -> PyResult<Asked> {
    let limits = in_force.limits();
    if let Some(verb) = verb {
        limits.layout.without_permits(chosen, verb)?;
    }
    let questions = limits.questions(chosen, keys, Some(cost))?;
    Ok(Asked {
        limits,
        questions: questions.into_vec().into(),
    })
}

#[pymethods]
impl PyGateCall {
    /// Decide and spend; permits are kept.
    fn check(&self, py: Python<'_>) -> PyResult<Py<PyGateDecision>> {
        let Asked { limits, questions } = self.current(py)?;
        let told = limits.spend(py, &questions)?;
        self.remember(&limits, &questions, Some(told.clone_ref(py)));
        Ok(told)
    }

    /// Give all back that it was admitted to, as nobody came to know of it.
    fn give_up(&self, py: Python<'_>) -> PyResult<()> {
        let Asked { limits, questions } = self.asked();
        let admitted = {
            let mut now = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
            now.take()
        };
        match admitted {
            Some(decision) => limits.end(py, &questions, decision.get(), true),
            None => Ok(()),
        }
    }

    /// Admit at once if nobody need wait: a decision, else None.
    #[pyo3(signature = (timeout))]
    fn admit_at_once(
        &self,
        py: Python<'_>,
        timeout: Option<Any<'_, '_>>,
    ) -> PyResult<Option<Py<PyGateDecision>>> {
        arguments::timeout(timeout)?;
        if limits_are_off() {
            return self.untouched(py).map(Some);
        }
        let Asked { limits, questions } = self.current(py)?;
        let (asks, admitted) = patiently(py, |patience| {
            let mut asks = asks(&questions);
            let admitted = limits.gate.admit_at_once(&mut asks, patience)?;
            Ok((asks, admitted))
        })?;
        let told = admitted.map(|verdict| {
            limits.count(true);
            let told = Py::new(py, limits.told(&asks, &verdict))?;
            self.remember(&limits, &questions, Some(told.clone_ref(py)));
            Ok(told)
        });
        told.transpose()
    }

    /// Put right what was spent, by what was used of each unit, or at each limit that was chosen.
    #[pyo3(signature = (decision, actual))]
    fn settle(
        &self,
        decision: &Bound<'_, PyGateDecision>,
        actual: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (Asked { limits, questions }, chosen) = (self.asked(), self.chosen.as_deref());
        let py = actual.py();
        let used = limits.used(chosen, &questions, self.cost.bind(py), actual)?;
        limits.settle(py, &questions, decision.get(), &used)
    }

    /// Raise what `settle` would, and do nothing.
    #[pyo3(signature = (actual))]
    fn examine(&self, actual: &Bound<'_, PyAny>) -> PyResult<()> {
        let (Asked { limits, questions }, chosen) = (self.asked(), self.chosen.as_deref());
        let cost = self.cost.bind(actual.py());
        limits.used(chosen, &questions, cost, actual).map(drop)
    }

    /// Give the permits back, or all that was spent.
    #[pyo3(signature = (decision, is_cancelled))]
    fn end(&self, decision: &Bound<'_, PyGateDecision>, is_cancelled: bool) -> PyResult<()> {
        let Asked { limits, questions } = self.asked();
        self.remember(&limits, &questions, None);
        limits.end(decision.py(), &questions, decision.get(), is_cancelled)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.gate)
    }
}
