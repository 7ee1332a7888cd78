//! A gate in Redis, as its coroutines and its blocking calls need it.

mod plain;

use std::any::Any;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBool;

use super::blocking;
use super::bridge::PyBridge;
use super::lazy_route::LazyRoute;
use super::limiter::PyRedisLimiter;
use super::renewing::THREADS;
use super::values::{store_error, told};
use crate::clock::unix_now;
use crate::gate::{RedisAsk, RedisGate, RedisLimit};
use crate::python::limits_off::{limits_are_off, untouched};
use crate::store::redis::{GATE, Reply, Request, Several, Verb};

/// Several limits in Redis with one decision. Its coroutines are in `sluicegate.redis`.
#[pyclass(frozen, name = "RedisGate", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisGate {
    gate: Arc<RedisGate>,
    route: Arc<LazyRoute>,
}

/// A call: sent already or to be sent, or what it came to without a server.
type Prepared = Result<Request, Several>;

impl PyRedisGate {
    /// Get a call ready to be sent.
    fn prepared(
        &self,
        verb: Verb,
        asks: Vec<RedisAsk>,
        context: Arc<dyn Any + Send + Sync>,
    ) -> PyResult<Prepared> {
        if limits_are_off() && verb != Verb::Reset {
            return Ok(Err(self.untouched(&asks, context)));
        }
        Ok(self.gate.call(verb, asks, context)?)
    }

    /// What is said while limits are off.
    fn untouched(&self, asks: &[RedisAsk], context: Arc<dyn Any + Send + Sync>) -> Several {
        let decisions = asks.iter().map(|ask| {
            let limiter = &self.gate.limits()[ask.limit].limiter;
            limiter.hold_uncounted(&ask.key, &ask.holders);
            let quota = ask.quota.clone().unwrap_or_else(|| limiter.quota());
            (ask.limit, untouched(quota.limit(), unix_now()))
        });
        Several {
            decisions: decisions.collect(),
            context,
        }
    }

    /// Send a call, unless it is decided: what it came to, else True if a flush is to be planned.
    fn begun<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
        call: Prepared,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match call {
            Err(several) => told(py, &several).map(Some),
            Ok(call) => {
                let plan = bridge.submit(self.route.get()?, future, call);
                Ok(plan.then(|| PyBool::new(py, true).to_owned().into_any()))
            }
        }
    }

    /// What a call came to; this thread waits for that. `again` gets it ready, once more in a child that
    /// was forked meanwhile.
    fn asked(&self, py: Python<'_>, again: impl Fn() -> PyResult<Prepared>) -> PyResult<Several> {
        loop {
            let call = match again()? {
                Err(several) => return Ok(several),
                Ok(call) => call,
            };
            let answers = blocking::answers(py, &self.route, vec![call])?;
            match answers.and_then(|answers| answers.into_iter().next()) {
                Some(Ok(Reply::Several(several))) => return Ok(several),
                Some(Ok(_)) => unreachable!("a gate's call comes to decisions of its limits"),
                Some(Err(failure)) => return Err(store_error(py, &failure)),
                None => {}
            }
        }
    }
}

#[pymethods]
impl PyRedisGate {
    /// Of limiters that each name their keys by a prefix of their own, and which of them only watch.
    #[new]
    #[expect(clippy::needless_pass_by_value, reason = "what Python gives")]
    fn new(limits: Vec<(PyRef<'_, PyRedisLimiter>, bool)>) -> PyResult<Self> {
        let parts = limits.iter().map(|(limiter, is_shadow)| RedisLimit {
            limiter: Arc::clone(limiter.core()),
            is_shadow: *is_shadow,
        });
        let gate = Arc::new(RedisGate::new(parts.collect())?);
        let route = Arc::clone(limits[0].0.route());
        Ok(Self { gate, route })
    }

    /// Begin a call by the places of limits: its decisions if it needs no server, else True if a flush is
    /// to be planned.
    #[expect(clippy::needless_pass_by_value, reason = "what Python gives")]
    fn begin_plain<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
        name: &str,
        asked: Vec<plain::Asked<'py>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let asks = self.plain_asks(&asked, bridge.number())?;
        let call = self.prepared(plain::verb(name), asks, Arc::new(()))?;
        self.begun(py, bridge, future, call)
    }

    /// The same; blocks this thread.
    #[expect(clippy::needless_pass_by_value, reason = "what Python gives")]
    fn ask_plain<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        asked: Vec<plain::Asked<'py>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let several = self.asked(py, || {
            let asks = self.plain_asks(&asked, THREADS)?;
            self.prepared(plain::verb(name), asks, Arc::new(()))
        })?;
        told(py, &several)
    }

    /// Calls of the gate: admitted, refused, errors, timeouts, local and remembered.
    fn statistics(&self) -> (u64, u64, u64, u64, u64, u64) {
        let s = self.gate.statistics();
        (
            s.admitted,
            s.refused,
            s.errors,
            s.timeouts,
            s.local,
            s.remembered,
        )
    }

    /// How often each limit would have refused that only watches.
    fn would_have_refused(&self) -> Vec<u64> {
        let limits = self.gate.limits().iter();
        limits
            .map(|limit| limit.limiter.statistics().would_have_refused)
            .collect()
    }

    /// The text of the script that decides.
    #[staticmethod]
    fn script() -> &'static str {
        GATE.text()
    }
}
