//! Scripts of what is no limiter: circuit breakers, permits.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::lane::Lane;
use super::runtime::awaitable;
use super::store_error;
use crate::python::arguments::key_bytes;
use crate::store::redis::{Failure, Run, Settings, notice, take_notices};

/// Runs scripts on one key each, over the connections that limiters use.
#[pyclass(frozen, name = "RedisScripts", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisScripts {
    lane: Lane,
    prefix: String,
}

/// A reply: an int, bytes, None, or a list or a dict of those; or why there is none, as an
/// exception that is raised, or else returned.
struct Reply {
    told: Result<Value, Failure>,
    raises: bool,
}

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

impl<'py> IntoPyObject<'py> for Reply {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.told {
            Ok(value) => in_python(py, value),
            Err(failure) if self.raises => Err(store_error(py, &failure)),
            Err(failure) => Ok(store_error(py, &failure)
                .into_value(py)
                .into_bound(py)
                .into_any()),
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

    /// An awaitable of the reply of `text` run on `key`, within `timeout` seconds. An error is
    /// its result unless it `raises`, for one whom nobody may await: an event loop that ends
    /// would print it. The text itself is sent only to a server that does not know it yet, or
    /// `by_text`.
    #[pyo3(signature = (text, key, arguments, timeout, raises=true, by_text=false))]
    #[expect(clippy::too_many_arguments, reason = "one call, by name")]
    fn run<'py>(
        &self,
        py: Python<'py>,
        text: String,
        key: &Bound<'py, PyAny>,
        arguments: Vec<String>,
        timeout: f64,
        raises: bool,
        by_text: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let route = self.lane.route()?;
        let arguments = arguments.into_iter().map(String::into_bytes).collect();
        let run = Run::new(text, &self.prefix, &key_bytes(key)?, arguments);
        let run = if by_text { run.by_text() } else { run };
        let deadline = deadline(timeout);
        awaitable(py, async move {
            let told = route.run_one(run, deadline).await;
            Ok(Reply { told, raises })
        })
    }

    /// An awaitable of what a server says of itself, a dict, within `timeout` seconds.
    fn hello<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        let route = self.lane.route()?;
        let deadline = deadline(timeout);
        awaitable(py, async move {
            let mut pipeline = Pipeline::new();
            pipeline.cmd("HELLO").arg(3);
            let told = route.ask(pipeline, deadline).await.and_then(only);
            Ok(Reply { told, raises: true })
        })
    }

    /// What is to be logged, and `more` unless that was said a moment ago.
    #[staticmethod]
    #[pyo3(signature = (more=None))]
    fn notices(more: Option<String>) -> Vec<String> {
        if let Some(text) = more {
            notice(text);
        }
        take_notices()
    }

    /// Let go of the connection, if nobody else uses it.
    fn close(&self) {
        self.lane.close();
    }
}

fn deadline(timeout: f64) -> Instant {
    Instant::now() + Duration::from_secs_f64(timeout.clamp(0.001, 60.0))
}

fn only(values: Vec<Value>) -> Result<Value, Failure> {
    match values.into_iter().next() {
        Some(Value::ServerError(error)) => Err(Failure::refused(&error)),
        answer => Ok(answer.unwrap_or(Value::Nil)),
    }
}
