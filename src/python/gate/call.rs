//! `GateCall`: one call that waits, or is put right later.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::decision::PyGateDecision;
use super::limits::Limits;
use super::questions::Question;
use crate::store::Fingerprint;

/// A call of a gate, which remembers its keys.
#[pyclass(frozen, name = "GateCall", module = "sluicegate._core")]
pub(in crate::python) struct PyGateCall {
    pub(super) limits: Arc<Limits>,
    pub(super) questions: Vec<Question<Fingerprint>>,
}

#[pymethods]
impl PyGateCall {
    /// Decide and spend; permits are kept.
    fn check(&self, py: Python<'_>) -> PyResult<Py<PyGateDecision>> {
        self.limits.spend(py, &self.questions)
    }

    /// Put right what was spent, by what was used of each unit.
    #[pyo3(signature = (decision, actual))]
    fn settle(
        &self,
        decision: &Bound<'_, PyGateDecision>,
        actual: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let used = self.limits.layout.used(&self.questions, actual)?;
        self.limits
            .settle(actual.py(), &self.questions, decision.get(), &used)
    }

    /// Raise what `settle` would, and do nothing.
    #[pyo3(signature = (actual))]
    fn examine(&self, actual: &Bound<'_, PyDict>) -> PyResult<()> {
        self.limits.layout.used(&self.questions, actual).map(drop)
    }

    /// Give the permits back, or all that was spent.
    #[pyo3(signature = (decision, is_cancelled))]
    fn end(&self, decision: &Bound<'_, PyGateDecision>, is_cancelled: bool) -> PyResult<()> {
        self.limits
            .end(decision.py(), &self.questions, decision.get(), is_cancelled)
    }
}
