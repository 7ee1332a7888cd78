//! A limiter in Redis, as its coroutines and its blocking calls need it.

mod asking;
mod awaiting;
mod refunding;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::blocking;
use super::bridge::PyBridge;
use super::lazy_route::LazyRoute;
use super::on_error;
use super::quotas;
use super::renewing::{Renewals, THREADS};
use crate::algorithm::AnyAlgorithm;
use crate::clock::{seconds, unix_now};
use crate::python::arguments::refund::Refund;
use crate::python::arguments::{self, Cost, key_bytes, shown};
use crate::python::decision::PyDecision;
use crate::python::limits_off::{limits_are_off, untouched};
use crate::store::redis::{
    EncodedQuota, Holders, KeyNames, OnError, RedisLimiter, Request, Settings, Verb, stand_in,
};

/// A server that is well needs less for a call, and a busy machine for its way there and back.
const MICROS_A_CALL: u64 = 500;
const LARGEST_CHUNK: u64 = 500;

/// A limiter whose state is in Redis. Its coroutines are in `sluicegate.redis`.
#[pyclass(frozen, name = "RedisLimiter", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisLimiter {
    algorithm: String,
    workers: u32,
    limiter: Arc<RedisLimiter>,
    route: Arc<LazyRoute>,
    renewals: Arc<Renewals>,
    chunk: u64,
}

impl PyRedisLimiter {
    /// A call that is to be sent; or its decision, if it needs no server.
    #[expect(clippy::too_many_arguments, reason = "one call")]
    fn prepared(
        &self,
        py: Python<'_>,
        home: usize,
        verb: &str,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        number: Option<u64>,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Result<Request, PyDecision>> {
        let holders = Holders {
            numbers: Vec::from_iter(number),
            home,
            quiet: verb == "give_up",
        };
        let is_permit = !holders.numbers.is_empty();
        let verb = match verb {
            "check" => Verb::Check,
            "peek" => Verb::Peek,
            "first_free" => Verb::FirstFree,
            "in_use" => Verb::InUse,
            "refund" | "give_up" => Verb::Refund,
            _ => Verb::Reset,
        };
        let key = key_bytes(key)?;
        let mut quota = quotas::deciding(&self.limiter, quota)?;
        if verb != Verb::Refund || !self.limiter.was_given_quotas() {
            quota.fits(cost.0)?; // who gives units back need not know by which quota
        }
        if verb == Verb::InUse {
            quota = Arc::new(quota.endless());
        } else if limits_are_off() && verb != Verb::Reset && !(is_permit && verb == Verb::Refund) {
            self.limiter.hold_uncounted(&key, &holders);
            return Ok(Err(untouched(quota.limit(), unix_now()).into()));
        }
        let mut units = cost.0;
        if verb == Verb::Refund && !is_permit {
            units -= self.refunded_here(py, &key, units);
            if units == 0 {
                return Ok(Err(self.nothing()));
            }
        }
        let call = self.limiter.call(quota, verb, key, units, holders);
        Ok(call.map_err(PyDecision::from))
    }
}

#[pymethods]
impl PyRedisLimiter {
    #[new]
    #[pyo3(signature = (algorithm, settings, quota, *, prefix, timeout, on_error, workers, remember, tag=None))]
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
        tag: Option<String>,
    ) -> PyResult<Self> {
        let on_error = on_error::policy(on_error)?;
        let workers = arguments::int_up_to(workers, "workers", 1, 1_000_000)?;
        let patience = arguments::span(timeout, "timeout", 60 * crate::clock::SECOND)?;
        if patience < 1_000 {
            let message = format!(
                "timeout must be a number of seconds from 0.001 to 60, got {}",
                shown(timeout)
            );
            return Err(PyValueError::new_err(message));
        }
        let unit = quotas::unit(quota);
        let quota = quotas::algorithm(&algorithm, quota)?;
        let share = quota.share(workers);
        let lends = matches!(share, AnyAlgorithm::Permits(_)); // of what it counts itself
        let local = (on_error == OnError::Local && !lends)
            .then(|| stand_in(&settings, &prefix, share, None));
        let quota = EncodedQuota::new(quota).counting(unit);
        let names = match tag {
            Some(tag) => KeyNames::together(prefix, Some(tag).filter(|tag| !tag.is_empty())),
            None => KeyNames::new(prefix),
        };
        let chunk = (patience / MICROS_A_CALL).clamp(1, LARGEST_CHUNK);
        let patience = Duration::from_micros(patience);
        let limiter = RedisLimiter::new(quota, local, workers, names, patience, on_error, remember);
        Ok(Self {
            algorithm,
            workers,
            limiter: Arc::new(limiter),
            route: Arc::new(LazyRoute::new(settings)),
            renewals: Arc::default(),
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
    /// One for a permit has a number.
    #[pyo3(signature = (bridge, future, verb, key, cost, number=None, quota=None))]
    #[expect(clippy::too_many_arguments, reason = "one call, by name")]
    fn begin<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
        verb: &str,
        key: &Bound<'py, PyAny>,
        cost: Cost,
        number: Option<u64>,
        quota: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let call = self.prepared(py, bridge.number(), verb, key, cost, number, quota)?;
        self.begun(py, bridge, future, call)
    }

    /// Begin a refund, of a cost or by receipt, as `begin`.
    #[pyo3(signature = (bridge, future, key, cost, units))]
    fn begin_refund<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
        key: &Bound<'py, PyAny>,
        cost: &Bound<'py, PyAny>,
        units: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let refund = Refund::of(Some(cost), units)?;
        let call = self.refund_prepared(key, &refund, bridge.number())?;
        self.begun(py, bridge, future, call)
    }

    /// The same. Blocks as `ask`.
    #[pyo3(signature = (key, cost, units))]
    fn ask_refund(
        &self,
        key: &Bound<'_, PyAny>,
        cost: &Bound<'_, PyAny>,
        units: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.refund_asked(key, &Refund::of(Some(cost), units)?)?;
        Ok(())
    }

    /// A call's decision. Blocks this thread until the server has answered, or `timeout` is over.
    #[pyo3(signature = (verb, key, cost, number=None, quota=None))]
    fn ask(
        &self,
        py: Python<'_>,
        verb: &str,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        number: Option<u64>,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyDecision> {
        self.asked(py, verb, key, cost, number, quota)
    }

    /// The decisions of a check for each key, sent together. Blocks as `ask`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "what Python gives is made into one"
    )]
    #[pyo3(signature = (keys, cost, quota=None))]
    fn ask_many(
        &self,
        py: Python<'_>,
        keys: Vec<Bound<'_, PyAny>>,
        cost: Cost,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<PyDecision>> {
        self.all_asked(py, &keys, cost, quota)
    }

    /// Give a permit up, without waiting for the server.
    fn give_up(&self, py: Python<'_>, key: &Bound<'_, PyAny>, number: u64) -> PyResult<()> {
        if let Ok(call) = self.prepared(py, THREADS, "give_up", key, Cost(1), Some(number), None)? {
            blocking::post(&self.route.get()?, vec![call]);
        }
        self.renewals.begin(&self.limiter, &self.route)
    }

    /// Release a permit. False: the server is to be told.
    fn leave(&self, key: &Bound<'_, PyAny>, number: u64) -> PyResult<bool> {
        Ok(self.limiter.leave(&key_bytes(key)?, number))
    }

    /// Whether a permit is held.
    fn holds(&self, key: &Bound<'_, PyAny>, number: u64) -> PyResult<bool> {
        Ok(self.limiter.holds(&key_bytes(key)?, number))
    }

    /// Whether no permit is to be renewed or given back.
    #[getter]
    fn is_idle(&self) -> bool {
        self.limiter.is_idle()
    }

    /// Renew the permits of a loop, and give back again what may not have been: one request each
    /// for what `new_future` gives.
    fn renew<'py>(
        &self,
        bridge: &PyBridge,
        new_future: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut futures = Vec::new();
        for (verb, key, holders) in self.limiter.due(bridge.number()) {
            let (quota, cost) = (self.limiter.quota(), holders.numbers.len() as u32);
            if let Ok(request) = self.limiter.call(quota, verb, key, cost, holders) {
                let future = new_future.call0()?;
                bridge.submit(self.route.get()?, future.clone().unbind(), request);
                futures.push(future);
            }
        }
        Ok(futures)
    }

    #[pyo3(signature = (quota))]
    fn set_quota(&self, quota: &Bound<'_, PyAny>) -> PyResult<()> {
        let unit = quotas::unit(quota);
        let quota = quotas::algorithm(&self.algorithm, quota)?;
        let local = self.limiter.local().map(|before| {
            let (settings, prefix) = (self.route.settings(), self.limiter.prefix());
            stand_in(settings, prefix, quota.share(self.workers), Some(before))
        });
        let quota = EncodedQuota::new(quota).counting(unit);
        self.limiter.set_quota(quota, local);
        Ok(())
    }

    /// An awaitable, which ends when every key is forgotten.
    fn clear<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.clearing(py)
    }

    /// Forget every key. Blocks this thread.
    fn ask_clear(&self, py: Python<'_>) -> PyResult<()> {
        self.cleared(py)
    }

    /// Admitted, refused, errors, timeouts, local and remembered.
    fn statistics(&self) -> (u64, u64, u64, u64, u64, u64) {
        self.counted()
    }

    /// Raise what a check would.
    #[pyo3(signature = (key, cost, quota=None))]
    fn examine(
        &self,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        key_bytes(key)?;
        Ok(quotas::deciding(&self.limiter, quota)?.fits(cost.0)?)
    }

    /// The text of the script that decides.
    #[getter]
    fn script(&self) -> String {
        self.limiter.quota().script_text().to_owned()
    }

    /// The text of the script that redeems receipts; None of permits.
    #[getter]
    fn receipt_script(&self) -> Option<String> {
        self.limiter.quota().receipt_text().map(str::to_owned)
    }

    /// The text of the script that renews permits.
    #[staticmethod]
    fn renewal() -> &'static str {
        EncodedQuota::renewal_text()
    }

    /// Let go of the connection, if no other limiter uses it.
    fn close(&self) {
        self.route.close();
    }
}
