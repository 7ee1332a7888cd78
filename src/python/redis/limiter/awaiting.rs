//! Calls that a coroutine awaits.

use pyo3::prelude::*;
use pyo3::types::PyBool;

use super::PyRedisLimiter;
use crate::python::decision::PyDecision;
use crate::python::redis::bridge::PyBridge;
use crate::store::redis::Request;

impl PyRedisLimiter {
    /// Send a call, unless it is decided: its decision, else True if a flush is to be planned.
    pub(super) fn begun<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
        call: Result<Request, PyDecision>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match call {
            Err(decision) => Ok(Some(Bound::new(py, decision)?.into_any())),
            Ok(call) => {
                let plan = bridge.submit(self.route.get()?, future, call);
                Ok(plan.then(|| PyBool::new(py, true).to_owned().into_any()))
            }
        }
    }
}
