//! A limiter in Redis, as its coroutines need it.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::bridge::PyBridge;
use super::lazy_route::LazyRoute;
use crate::algorithm::AnyAlgorithm;
use crate::clock::{seconds, unix_now};
use crate::python::arguments::{self, Cost, key_bytes, shown};
use crate::python::decision::PyDecision;
use crate::python::limits_off::{limits_are_off, untouched};
use crate::python::memory::windowed;
use crate::python::patiently;
use crate::python::token_bucket::PyTokenBucketConfig;
use crate::store::redis::{EncodedQuota, OnError, RedisLimiter, Settings, Verb, stand_in};

/// A server that is well needs less for a call, and a busy machine for its way there and back.
const MICROS_A_CALL: u64 = 500;
const LARGEST_CHUNK: u64 = 500;

/// A limiter whose state is in Redis. Its coroutines are in `sluicegate.redis`.
#[pyclass(frozen, name = "RedisLimiter", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisLimiter {
    algorithm: String,
    workers: u32,
    limiter: Arc<RedisLimiter>,
    route: LazyRoute,
    chunk: u64,
}

/// A quota from its arguments: a bucket's configuration, or limit and window.
fn algorithm(name: &str, quota: &Bound<'_, PyAny>) -> PyResult<AnyAlgorithm> {
    if name == "token_bucket" {
        let config: PyTokenBucketConfig = quota.extract()?;
        return Ok(AnyAlgorithm::TokenBucket(config.full_bucket()?));
    }
    let (limit, window): (Bound<'_, PyAny>, Bound<'_, PyAny>) = quota.extract()?;
    windowed(name, Some(&limit), Some(&window), "limit")
}

fn policy(name: &Bound<'_, PyAny>) -> PyResult<OnError> {
    match name.extract::<String>().as_deref() {
        Ok("local") => Ok(OnError::Local),
        Ok("open") => Ok(OnError::Open),
        Ok("closed") => Ok(OnError::Closed),
        Ok("raise") => Ok(OnError::Raise),
        _ => Err(PyValueError::new_err(format!(
            "on_error must be 'local', 'open', 'closed' or 'raise', got {}",
            shown(name)
        ))),
    }
}

impl PyRedisLimiter {
    /// Give back what was admitted here and the server was never charged; how many units.
    fn refunded_here(&self, py: Python<'_>, key: &[u8], units: u32) -> u32 {
        let here = self.limiter.take_uncharged(key, units);
        if here > 0 {
            // Whatever it answers: the units were taken.
            let _ = patiently(py, |patience| self.limiter.refund_here(key, here, patience));
        }
        here
    }
}

#[pymethods]
impl PyRedisLimiter {
    #[new]
    #[pyo3(signature = (algorithm, settings, quota, *, prefix, timeout, on_error, workers, remember))]
    #[expect(clippy::too_many_arguments, reason = "one call, by name")]
    fn new(
        algorithm: String,
        settings: Settings,
        quota: &Bound<'_, PyAny>,
        prefix: String,
        timeout: &Bound<'_, PyAny>,
        on_error: &Bound<'_, PyAny>,
        workers: &Bound<'_, PyAny>,
        remember: bool,
    ) -> PyResult<Self> {
        let on_error = policy(on_error)?;
        let workers = arguments::int_up_to(workers, "workers", 1, 1_000_000)?;
        let patience = arguments::span(timeout, "timeout", 60 * crate::clock::SECOND)?;
        if patience < 1_000 {
            let message = format!(
                "timeout must be a number of seconds from 0.001 to 60, got {}",
                shown(timeout)
            );
            return Err(PyValueError::new_err(message));
        }
        let quota = self::algorithm(&algorithm, quota)?;
        let local = (on_error == OnError::Local)
            .then(|| stand_in(&settings, &prefix, quota.share(workers), None));
        let quota = EncodedQuota::new(quota);
        let chunk = (patience / MICROS_A_CALL).clamp(1, LARGEST_CHUNK);
        let patience = Duration::from_micros(patience);
        let limiter = RedisLimiter::new(quota, local, prefix, patience, on_error, remember);
        Ok(Self {
            algorithm,
            workers,
            limiter: Arc::new(limiter),
            route: LazyRoute::new(settings),
            chunk,
        })
    }

    /// How many calls may be made together, so that a server that is well has answered them all
    /// in time.
    #[getter]
    fn chunk(&self) -> u64 {
        self.chunk
    }

    #[getter]
    fn limit(&self) -> u32 {
        self.limiter.quota().limit()
    }

    #[getter]
    fn window_seconds(&self) -> f64 {
        seconds(self.limiter.quota().window())
    }

    /// Begin a call: its decision if it needs no server, else True if a flush is to be planned.
    #[pyo3(signature = (bridge, future, verb, key, cost))]
    fn begin<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
        verb: &str,
        key: &Bound<'py, PyAny>,
        cost: Cost,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let verb = match verb {
            "check" => Verb::Check,
            "peek" => Verb::Peek,
            "first_free" => Verb::FirstFree,
            "refund" => Verb::Refund,
            _ => Verb::Reset,
        };
        let key = key_bytes(key)?;
        let quota = self.limiter.quota();
        quota.fits(cost.0)?;
        if limits_are_off() && verb != Verb::Reset {
            let decision = untouched(quota.limit(), unix_now());
            return Ok(Some(Bound::new(py, PyDecision::from(decision))?.into_any()));
        }
        let mut units = cost.0;
        if verb == Verb::Refund {
            units -= self.refunded_here(py, &key, units);
            if units == 0 {
                let decision = untouched(quota.limit(), unix_now());
                return Ok(Some(Bound::new(py, PyDecision::from(decision))?.into_any()));
            }
        }
        match self.limiter.call(quota, verb, key, units) {
            Err(refusal) => Ok(Some(Bound::new(py, PyDecision::from(refusal))?.into_any())),
            Ok(call) => {
                let plan = bridge.submit(self.route.get()?, future, call);
                Ok(plan.then(|| pyo3::types::PyBool::new(py, true).to_owned().into_any()))
            }
        }
    }

    #[pyo3(signature = (quota))]
    fn set_quota(&self, quota: &Bound<'_, PyAny>) -> PyResult<()> {
        let quota = algorithm(&self.algorithm, quota)?;
        let local = self.limiter.local().map(|before| {
            let (settings, prefix) = (self.route.settings(), self.limiter.prefix());
            stand_in(settings, prefix, quota.share(self.workers), Some(before))
        });
        self.limiter.set_quota(EncodedQuota::new(quota), local);
        Ok(())
    }

    /// Admitted, refused, errors, timeouts, local and remembered.
    fn statistics(&self) -> (u64, u64, u64, u64, u64, u64) {
        let s = self.limiter.statistics();
        (
            s.admitted,
            s.refused,
            s.errors,
            s.timeouts,
            s.local,
            s.remembered,
        )
    }

    /// Raise what a check would.
    fn examine(&self, key: &Bound<'_, PyAny>, cost: Cost) -> PyResult<()> {
        key_bytes(key)?;
        Ok(self.limiter.quota().fits(cost.0)?)
    }

    /// The text of the script that decides.
    #[getter]
    fn script(&self) -> String {
        self.limiter.quota().script_text().to_owned()
    }

    /// Let go of the connection, if no other limiter uses it.
    fn close(&self) {
        self.route.close();
    }
}
