//! What decides when the server does not, as Python names it.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::python::arguments::shown;
use crate::store::redis::OnError;

pub(super) fn policy(name: &Bound<'_, PyAny>) -> PyResult<OnError> {
    match name.extract::<String>().as_deref() {
        Ok("local") => Ok(OnError::Local),
        Ok("open") => Ok(OnError::Open),
        Ok("closed") => Ok(OnError::Closed),
        Ok("raise") => Ok(OnError::Raise),
        _ => Err(PyValueError::new_err(format!(
            "on_error must be one of 'local', 'open', 'closed', 'raise', got {}",
            shown(name)
        ))),
    }
}
