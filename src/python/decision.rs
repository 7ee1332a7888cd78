//! `Decision` and `Statistics`: frozen values.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyTuple};

use crate::clock::{SECOND, seconds};
use crate::decision::Decision;
use crate::store::Statistics;

type Text<'py> = Bound<'py, PyBytes>;

/// The outcome of one call: true when allowed, and unpacks as `(allowed, info)`.
#[pyclass(frozen, eq, hash, name = "Decision", module = "sluicegate")]
#[derive(PartialEq, Eq, Hash)]
pub(super) struct PyDecision(pub(super) Decision);

#[pymethods]
impl PyDecision {
    #[getter]
    fn allowed(&self) -> bool {
        self.0.allowed
    }

    #[getter]
    fn limit(&self) -> u32 {
        self.0.limit
    }

    #[getter]
    fn remaining(&self) -> u32 {
        self.0.remaining
    }

    #[getter]
    fn retry_after(&self) -> f64 {
        seconds(self.0.retry_after)
    }

    #[getter]
    fn reset_after(&self) -> f64 {
        seconds(self.0.reset_after)
    }

    #[getter]
    fn reset_at(&self) -> f64 {
        seconds(self.0.at + self.0.reset_after)
    }

    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let info = PyDict::new(py);
        info.set_item("remaining", self.remaining())?;
        if self.0.allowed {
            info.set_item("reset_at", self.reset_at())?;
        } else {
            info.set_item("retry_after", self.retry_after())?;
        }
        Ok(info)
    }

    /// What header fields say of it, as text: four getters and four formats in one call.
    ///
    /// After a refusal `t` names the same instant as `Retry-After`.
    fn _header_values<'py>(&self, py: Python<'py>) -> (u32, Text<'py>, Text<'py>, Text<'py>) {
        let decision = &self.0;
        let text = |text: String| PyBytes::new(py, text.as_bytes());
        let wait = if decision.allowed {
            decision.reset_after.div_ceil(SECOND)
        } else {
            decision.retry_after.div_ceil(SECOND).max(1)
        };
        let remaining = decision.remaining;
        (
            decision.limit,
            text(remaining.to_string()),
            text(
                (decision.at + decision.reset_after)
                    .div_ceil(SECOND)
                    .to_string(),
            ),
            text(format!(";r={remaining};t={wait}")),
        )
    }

    fn __bool__(&self) -> bool {
        self.0.allowed
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let pair = (self.0.allowed, self.info(py)?);
        let pair: Bound<'py, PyTuple> = pair.into_pyobject(py)?;
        pair.try_iter()
    }

    fn __repr__(&self) -> String {
        format!(
            "Decision(allowed={}, limit={}, remaining={}, retry_after={:?}, reset_after={:?}, reset_at={:?})",
            if self.0.allowed { "True" } else { "False" },
            self.0.limit,
            self.0.remaining,
            self.retry_after(),
            self.reset_after(),
            self.reset_at(),
        )
    }
}

/// What a limiter has done since it was made.
#[pyclass(frozen, eq, hash, name = "Statistics", module = "sluicegate")]
#[derive(PartialEq, Eq, Hash)]
pub(super) struct PyStatistics(pub(super) Statistics);

#[pymethods]
impl PyStatistics {
    #[getter]
    fn admitted(&self) -> u64 {
        self.0.admitted
    }

    #[getter]
    fn refused(&self) -> u64 {
        self.0.refused
    }

    #[getter]
    fn keys(&self) -> usize {
        self.0.keys
    }

    #[getter]
    fn evicted(&self) -> u64 {
        self.0.evicted
    }

    #[getter]
    fn overflowed(&self) -> u64 {
        self.0.overflowed
    }

    fn __repr__(&self) -> String {
        format!(
            "Statistics(admitted={}, refused={}, keys={}, evicted={}, overflowed={})",
            self.0.admitted, self.0.refused, self.0.keys, self.0.evicted, self.0.overflowed
        )
    }
}
