//! Scripts of what is no limiter: circuit breakers, permits.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use redis::Value;
use tokio::time::Instant;

use super::lane::Lane;
use super::runtime::awaitable;
use super::store_error;
use crate::python::arguments::key_bytes;
use crate::store::redis::{Failure, Run, Settings};

/// Runs scripts on one key each, over the connections that limiters use.
#[pyclass(frozen, name = "RedisScripts", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisScripts {
    lane: Lane,
    prefix: String,
}

/// A reply: an int, bytes, None, or a list of those; or why there is none.
pub(super) struct Reply(pub(super) Result<Value, Failure>);

fn in_python(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    Ok(match value {
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::BulkString(bytes) => PyBytes::new(py, &bytes).into_any(),
        Value::SimpleString(text) => PyBytes::new(py, text.as_bytes()).into_any(),
        Value::Array(items) => {
            let items: PyResult<Vec<_>> =
                items.into_iter().map(|item| in_python(py, item)).collect();
            PyList::new(py, items?)?.into_any()
        }
        _ => py.None().into_bound(py),
    })
}

impl<'py> IntoPyObject<'py> for Reply {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.0 {
            Ok(value) => in_python(py, value),
            Err(failure) => Err(store_error(py, &failure)),
        }
    }
}

#[pymethods]
impl PyRedisScripts {
    #[new]
    #[pyo3(signature = (settings, prefix))]
    fn new(settings: Settings, prefix: String) -> Self {
        Self {
            lane: Lane::new(settings),
            prefix,
        }
    }

    /// An awaitable of the reply of `text` run on `key`, within `timeout` seconds; of `None` instead
    /// of an error unless it `raises`, for one whom nobody may await: an event loop that ends
    /// would print the error.
    #[pyo3(signature = (text, key, arguments, timeout, raises=true))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        text: String,
        key: &Bound<'py, PyAny>,
        arguments: Vec<String>,
        timeout: f64,
        raises: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let route = self.lane.route()?;
        let arguments = arguments.into_iter().map(String::into_bytes).collect();
        let run = Run::new(text, &self.prefix, &key_bytes(key)?, arguments);
        let deadline = Instant::now() + Duration::from_secs_f64(timeout.clamp(0.001, 60.0));
        awaitable(py, async move {
            let told = route.run_one(run, deadline).await;
            Ok(Reply(told.or_else(|failure| {
                if raises { Err(failure) } else { Ok(Value::Nil) }
            })))
        })
    }

    /// Let go of the connection, if nobody else uses it.
    fn close(&self) {
        self.lane.close();
    }
}
