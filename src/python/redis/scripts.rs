//! Scripts of circuit breakers, which are not limiters, and what `ping` tries.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use redis::Value;
use tokio::time::Instant;

use super::blocking;
use super::bridge::PyBridge;
use super::lazy_route::LazyRoute;
use super::runtime::awaitable;
use super::values::{in_python, store_error, value};
use crate::python::arguments::key_bytes;
use crate::store::redis::{
    Answer, Failure, Reply, Request, Run, Script, Settings, Work, notice, take_notices,
};

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

impl PyRedisScripts {
    fn asked<'py, W: Work + 'static>(
        &self,
        py: Python<'py>,
        timeout: Duration,
        work: impl Fn() -> W,
    ) -> PyResult<Bound<'py, PyAny>> {
        loop {
            let requests = vec![Request::new(work(), timeout)];
            let answers = blocking::answers(py, &self.route, requests)?;
            if let Some(answer) = answers.and_then(|answers| answers.into_iter().next()) {
                return value(py, answer);
            }
        }
    }
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

    /// The reply to a script, as `begin` gives it. Blocks this thread until then.
    #[pyo3(signature = (script, key, arguments, timeout, by_text=false))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "what Python gives is made into one"
    )]
    fn ask<'py>(
        &self,
        py: Python<'py>,
        script: &PyRedisScript,
        key: &Bound<'py, PyAny>,
        arguments: Vec<String>,
        timeout: f64,
        by_text: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let key = key_bytes(key)?;
        self.asked(py, within(timeout), || {
            let (script, arguments) = (Arc::clone(&script.0), arguments.clone());
            Run::new(script, &self.prefix, &key, arguments, by_text)
        })
    }

    /// Run a script, and let nobody know what it says.
    fn post(
        &self,
        script: &PyRedisScript,
        key: &Bound<'_, PyAny>,
        arguments: Vec<String>,
        timeout: f64,
    ) -> PyResult<()> {
        let script = Arc::clone(&script.0);
        let run = Run::new(script, &self.prefix, &key_bytes(key)?, arguments, false);
        let request = Request::new(run, within(timeout));
        blocking::post(&self.route.get()?, vec![request]);
        Ok(())
    }

    /// What a server says of itself, a dict, within `timeout` seconds. Blocks this thread.
    fn ask_hello<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        self.asked(py, within(timeout), || SayHello)
    }

    /// An awaitable of what a server says of itself, a dict, within `timeout` seconds.
    fn hello<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Bound<'py, PyAny>> {
        let route = self.route.get()?;
        let deadline = Instant::now() + within(timeout);
        awaitable(py, async move {
            Ok(Hello(route.ask(SayHello.command(false), deadline).await))
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

/// Asks any server what it is.
struct SayHello;

impl Work for SayHello {
    fn name(&self) -> Vec<u8> {
        Vec::new()
    }

    fn command(&self, _: bool) -> redis::Cmd {
        let mut hello = redis::cmd("HELLO");
        hello.arg(3);
        hello
    }

    fn settle(&self, said: Result<Value, Failure>) -> Answer {
        said.map(Reply::Value)
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
