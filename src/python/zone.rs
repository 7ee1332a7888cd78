//! The bindings of zones.

mod inspect;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::store::zone::Refusal;

pub(in crate::python) use inspect::inspect_zone;

/// Why a zone is not there, in Python's classes.
fn refused(refusal: Refusal) -> PyErr {
    static STORE_ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    match refusal {
        Refusal::Argument(text) => PyValueError::new_err(text),
        Refusal::Environment(text) => Python::attach(|py| {
            let class = STORE_ERROR.get_or_try_init(py, || {
                let errors = py.import("sluicegate.errors")?;
                errors.getattr("StoreError").map(Bound::unbind)
            });
            let error = class.and_then(|class| class.call1(py, (text,)));
            error.map_or_else(|error| error, |error| PyErr::from_value(error.into_bound(py)))
        }),
    }
}
