//! `CostError`: a cost that one of the limits could never admit.

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

create_exception!(
    sluicegate._core,
    CostError,
    PyValueError,
    "A cost above what a limit could ever admit: ``limit`` units, of the limit ``name``."
);

/// The error, with what a web layer tells a client.
pub(in crate::python::gate) fn cost_error(
    py: Python<'_>,
    message: String,
    name: &str,
    limit: u32,
) -> PyErr {
    let error = CostError::new_err(message);
    let value = error.value(py);
    let named = (value.setattr("name", name)).and_then(|()| value.setattr("limit", limit));
    named.err().unwrap_or(error)
}
