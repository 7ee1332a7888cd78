//! What a server says, and why it says nothing, as values of Python.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList};
use redis::Value;

use crate::python::decision::PyDecision;
use crate::python::gate::{Names, PyGateDecision};
use crate::store::redis::{Answer, Failure, Reply, Several};

/// `sluicegate.errors.StoreError`.
pub(super) fn store_error(py: Python<'_>, failure: &Failure) -> PyErr {
    static STORE_ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = STORE_ERROR.get_or_try_init(py, || {
        let errors = py.import("sluicegate.errors")?;
        errors.getattr("StoreError").map(Bound::unbind)
    });
    let error = class.and_then(|class| class.call1(py, (failure.to_string(),)));
    error.map_or_else(
        |error| error,
        |error| PyErr::from_value(error.into_bound(py)),
    )
}

/// A reply of a server's: an int, bytes, None, or a list or a dict of those.
pub(super) fn in_python(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    Ok(match value {
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::BulkString(bytes) => PyBytes::new(py, &bytes).into_any(),
        Value::SimpleString(text) => PyBytes::new(py, text.as_bytes()).into_any(),
        Value::Array(items) => {
            let items: PyResult<Vec<_>> =
                items.into_iter().map(|item| in_python(py, item)).collect();
            PyList::new(py, items?)?.into_any()
        }
        Value::Map(pairs) => {
            let told = PyDict::new(py);
            for (name, value) in pairs {
                told.set_item(in_python(py, name)?, in_python(py, value)?)?;
            }
            told.into_any()
        }
        _ => py.None().into_bound(py),
    })
}

/// What several limits have decided: a `GateDecision`, or without names each with its limit's place.
pub(super) fn told<'py>(py: Python<'py>, several: &Several) -> PyResult<Bound<'py, PyAny>> {
    if let Some(names) = several.context.downcast_ref::<Names>() {
        let decision = PyGateDecision::told(names, &several.decisions);
        return Ok(Bound::new(py, decision)?.into_any());
    }
    let decisions = several.decisions.iter();
    let decisions = decisions.map(|(limit, decision)| (*limit, PyDecision::from(*decision)));
    Ok(PyList::new(py, decisions.collect::<Vec<_>>())?.into_any())
}

/// What a limiter's call came to.
pub(super) fn decision(py: Python<'_>, answer: Answer) -> PyResult<PyDecision> {
    match answer {
        Ok(Reply::Decision(decision)) => Ok(PyDecision::from(decision)),
        Ok(_) => unreachable!("a limiter's call comes to a decision"),
        Err(failure) => Err(store_error(py, &failure)),
    }
}

/// What a script's run came to.
pub(super) fn value(py: Python<'_>, answer: Answer) -> PyResult<Bound<'_, PyAny>> {
    match answer {
        Ok(Reply::Value(value)) => in_python(py, value),
        Ok(_) => unreachable!("a script comes to a value"),
        Err(failure) => Err(store_error(py, &failure)),
    }
}
