//! `GateQuotas`: the quotas by which a caller decides, in the place of those that the limits declare.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::answers::Answer;
use super::layout::Layout;
use crate::python::quota::PyQuota;

/// Which quota each limit of a gate has in a call, by its place there. Limits that were added behind
/// the last one since take no part.
#[pyclass(frozen, name = "GateQuotas", module = "sluicegate._core")]
pub(in crate::python) struct PyGateQuotas(pub(in crate::python) Arc<[Answer]>);

impl PyGateQuotas {
    /// Quotas for the limits of a gate; `None`: that one takes no part.
    pub(in crate::python) fn new(layout: &Layout, quotas: Vec<Option<PyQuota>>) -> PyResult<Self> {
        if quotas.len() > layout.parts.len() {
            return Err(PyValueError::new_err(format!(
                "quotas must be at most one for each of the {} limits, got {}",
                layout.parts.len(),
                quotas.len()
            )));
        }
        let answers = quotas.into_iter().zip(&layout.parts).map(|(quota, part)| {
            Ok(match quota {
                None => Answer::Absent,
                Some(PyQuota(quota)) if quota == part.quota => Answer::Declared,
                Some(PyQuota(quota)) => {
                    part.algorithm.under(&quota)?;
                    Answer::By(Arc::new(quota))
                }
            })
        });
        Ok(Self(answers.collect::<PyResult<_>>()?))
    }
}
