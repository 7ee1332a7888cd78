//! `GateQuotas`: the limits that a caller chooses, and the quotas by which they decide in the place of
//! those that they declare.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::choice::Choice;
use crate::python::gate::layout::Layout;
use crate::python::quota::PyQuota;

/// Which limits of a gate take part in a call, and by which quotas: by their places there. Limits that
/// were added behind the last one since take no part.
#[pyclass(frozen, name = "GateQuotas", module = "sluicegate._core")]
pub(in crate::python) struct PyGateQuotas(pub(in crate::python) Arc<Choice>);

impl PyGateQuotas {
    /// Quotas for the limits of a gate; `None`: that one takes no part.
    pub(in crate::python) fn new(layout: &Layout, quotas: Vec<Option<PyQuota>>) -> PyResult<Self> {
        let parts = &layout.parts;
        if quotas.len() > parts.len() {
            return Err(PyValueError::new_err(format!(
                "quotas must be at most one for each of the {} limits, got {}",
                parts.len(),
                quotas.len()
            )));
        }
        let mut chosen = Vec::new();
        for (limit, quota) in quotas.into_iter().enumerate() {
            let Some(PyQuota(quota)) = quota else {
                continue;
            };
            let part = &parts[limit];
            if quota == part.quota {
                chosen.push((limit, None));
            } else {
                part.algorithm.under(&quota)?;
                chosen.push((limit, Some(Arc::new(quota))));
            }
        }
        Ok(Self(Arc::new(Choice::of(parts, chosen.into_iter()))))
    }
}
