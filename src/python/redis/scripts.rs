//! Scripts of circuit breakers, which are not limiters, and what `ping` tries.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use redis::Value;
use tokio::time::Instant;

use super::bridge::PyBridge;
use super::lazy_route::LazyRoute;
use super::runtime::awaitable;
use super::values::{in_python, store_error};
use crate::python::arguments::key_bytes;
use crate::store::redis::{Failure, Request, Run, Script, Settings, notice, take_notices};

/// A script with its digest. Servers get to know it when they are connected: make it once.
#[pyclass(frozen, name = "RedisScript", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisScript(Arc<Script>);

#[pymethods]
impl PyRedisScript {
    #[new]
    fn new(text: String) -> Self {
        Self(Script::known(text))
    }

    /// What a server runs.
    #[getter]
    fn text(&self) -> &str {
        self.0.text()
    }
}

/// Runs scripts on one key each, over the connections that limiters use.
#[pyclass(frozen, name = "RedisScripts", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisScripts {
    route: LazyRoute,
    prefix: String,
}

#[pymethods]
impl PyRedisScripts {
    #[new]
    #[pyo3(signature = (settings, prefix))]
    fn new(settings: Settings, prefix: String) -> Self {
        Self {
            route: LazyRoute::new(settings),
            prefix,
        }
    }

    /// Begin to run a script on `key`, within `timeout` seconds; True if a flush is to be planned.
    /// `future` gets the reply: an int, bytes, None, or a list or a dict of those. The text is
    /// sent only to a server that does not know the script yet, or `by_text`.
    #[pyo3(signature = (bridge, future, script, key, arguments, timeout, by_text=false))]
    #[expect(clippy::too_many_arguments, reason = "one call, by name")]
    fn begin(
        &self,
        bridge: &PyBridge,
        future: Py<PyAny>,
        script: &PyRedisScript,
        key: &Bound<'_, PyAny>,
        arguments: Vec<String>,
        timeout: f64,
        by_text: bool,
    ) -> PyResult<bool> {
        let script = Arc::clone(&script.0);
        let run = Run::new(script, &self.prefix, &key_bytes(key)?, arguments, by_text);
        let request = Request::new(run, within(timeout));
        Ok(bridge.submit(self.route.get()?, future, request))
    }

    /// An awaitable of what a server says of itself, a dict, within `timeout` seconds.
    fn hello<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        let route = self.route.get()?;
        let deadline = Instant::now() + within(timeout);
        awaitable(py, async move {
            let mut hello = redis::cmd("HELLO");
            hello.arg(3);
            Ok(Hello(route.ask(hello, deadline).await))
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
        self.route.close();
    }
}

/// What a server says of itself.
struct Hello(Result<Value, Failure>);

impl<'py> IntoPyObject<'py> for Hello {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let said = self.0.map_err(|failure| store_error(py, &failure))?;
        in_python(py, said)
    }
}

fn within(timeout: f64) -> Duration {
    Duration::from_secs_f64(timeout.clamp(0.001, 60.0))
}
