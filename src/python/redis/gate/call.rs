//! `RedisGateCall`: one call that is made more than once, or is put right later.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::limits::{Asked, Limits, begun};
use super::sent;
use crate::python::gate::PyGateDecision;
use crate::python::redis::blocking;
use crate::python::redis::bridge::PyBridge;
use crate::store::redis::Verb;

/// A call of a gate in Redis, which remembers its keys.
#[pyclass(frozen, name = "RedisGateCall", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisGateCall {
    pub(super) limits: Arc<Limits>,
    pub(super) questions: Vec<Asked>,
}

#[pymethods]
impl PyRedisGateCall {
    /// Begin to decide and spend: the decision if it needs no server, else True if a flush is to be planned.
    fn begin<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let call = self.limits.call(Verb::Check, &self.questions)?;
        begun(py, &self.limits.route, bridge, future, call)
    }

    /// The same for a look.
    fn begin_peek<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let call = self.limits.call(Verb::Peek, &self.questions)?;
        begun(py, &self.limits.route, bridge, future, call)
    }

    /// Decide and spend. Blocks this thread.
    fn ask(&self, py: Python<'_>) -> PyResult<Py<PyGateDecision>> {
        self.limits.asked(py, Verb::Check, &self.questions)
    }

    /// Look. Blocks this thread.
    fn ask_peek(&self, py: Python<'_>) -> PyResult<Py<PyGateDecision>> {
        self.limits.asked(py, Verb::Peek, &self.questions)
    }

    /// Have permits renewed, once some may be held.
    fn renew(&self, py: Python<'_>) -> PyResult<()> {
        self.limits.renew(py)
    }

    /// Raise what ending a reservation by these units would.
    #[pyo3(signature = (actual))]
    fn examine(&self, actual: &Bound<'_, PyDict>) -> PyResult<()> {
        self.limits.layout.used(&self.questions, actual).map(drop)
    }

    /// Put right what was spent, by what was used of each unit, or give all back, and give the permits
    /// back: one request each, for what `new_future` gives.
    #[pyo3(signature = (bridge, new_future, decision, actual))]
    fn begin_end<'py>(
        &self,
        bridge: &PyBridge,
        new_future: &Bound<'py, PyAny>,
        decision: &Bound<'py, PyGateDecision>,
        actual: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let requests = self.limits.end(&self.questions, decision, actual)?;
        sent(&self.limits, bridge, new_future, requests)
    }

    /// The same. Blocks this thread.
    #[pyo3(signature = (decision, actual))]
    fn ask_end(
        &self,
        decision: &Bound<'_, PyGateDecision>,
        actual: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let requests = self.limits.end(&self.questions, decision, actual)?;
        super::all_answered(decision.py(), &self.limits, requests)
    }

    /// Give the permits of a decision back, without waiting for the server.
    fn abandon(&self, decision: &Bound<'_, PyGateDecision>) -> PyResult<()> {
        let requests = self.limits.released(&self.questions, decision)?;
        if !requests.is_empty() {
            blocking::post(&self.limits.route.get()?, requests);
        }
        self.limits.renew(decision.py())
    }
}
