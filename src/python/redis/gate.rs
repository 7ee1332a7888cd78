//! A gate in Redis, as its coroutines and its blocking calls need it.

mod back;
mod call;
mod limits;
mod plain;

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};

use super::blocking;
use super::bridge::PyBridge;
use super::limiter::PyRedisLimiter;
use super::values::{store_error, told};
use crate::gate::{RedisGate, RedisLimit};
use crate::python::gate::{GivenPart, Layout, PyGateDecision, PyGateQuotas, receipt};
use crate::python::quota::PyQuota;
use crate::store::redis::{Counts, GATE, Request, Verb};
pub(in crate::python) use call::PyRedisGateCall;
use limits::{Limits, asked, begun, prepared};

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// Several limits in Redis with one decision. Its coroutines are in `sluicegate.redis`.
#[pyclass(frozen, name = "RedisGate", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisGate {
    limits: Arc<Limits>,
}

/// A call that needs keys and costs.
fn verb(name: &str) -> Verb {
    match name {
        "check" => Verb::Check,
        _ => Verb::Peek,
    }
}

/// Send requests, each with a future that is told when it is answered.
fn sent<'py>(
    limits: &Limits,
    bridge: &PyBridge,
    new_future: Any<'_, 'py>,
    requests: Vec<Request>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let requests = requests.into_iter();
    let sent = requests.map(|request| {
        let future = new_future.call0()?;
        bridge.submit(limits.route.get()?, future.clone().unbind(), request);
        Ok(future)
    });
    sent.collect()
}

/// Send requests, and wait until all are answered. Fails as the first that does.
fn all_answered(py: Python<'_>, limits: &Limits, requests: Vec<Request>) -> PyResult<()> {
    if requests.is_empty() {
        return Ok(());
    }
    let answers = blocking::answers(py, &limits.route, requests)?;
    let failed = answers.into_iter().flatten().find_map(Result::err);
    failed.map_or(Ok(()), |failure| Err(store_error(py, &failure)))
}

#[pymethods]
impl PyRedisGate {
    /// Of parts as the gate in memory takes them, and for each the limiter that names its keys, by a
    /// prefix of its own. A gate in whose place it is goes on with that one's counts.
    #[new]
    #[pyo3(signature = (parts, plans, limiters, before=None))]
    fn new(
        py: Python<'_>,
        parts: Vec<GivenPart>,
        plans: Vec<Py<PyAny>>,
        limiters: Vec<Py<PyRedisLimiter>>,
        before: Option<&Bound<'_, Self>>,
    ) -> PyResult<Self> {
        let layout = Layout::new(py, parts, plans)?;
        let counts = before.map_or_else(Arc::<Counts>::default, |before| {
            Arc::clone(before.get().limits.gate.counts())
        });
        let limits = layout.parts.iter().zip(&limiters);
        let limits = limits.map(|(part, limiter)| RedisLimit {
            limiter: Arc::clone(limiter.bind(py).get().core()),
            is_shadow: part.is_shadow,
        });
        let gate = Arc::new(RedisGate::new(limits.collect(), counts)?);
        let route = Arc::clone(limiters[0].bind(py).get().route());
        let names = Arc::new(layout.as_names());
        let limiters = limiters.into();
        Ok(Self {
            limits: Arc::new(Limits {
                layout,
                gate,
                limiters,
                route,
                names,
            }),
        })
    }

    /// What chooses limits, and quotas for them: one for each limit in their order; `None`: that limit
    /// takes no part.
    fn quotas(&self, quotas: Vec<Option<PyQuota>>) -> PyResult<PyGateQuotas> {
        PyGateQuotas::new(&self.limits.layout, quotas)
    }

    /// Begin a check or a peek: the decision if it needs no server, else True if a flush is to be planned.
    /// Of all limits, or those that are chosen.
    #[expect(clippy::too_many_arguments, reason = "what Python gives")]
    #[pyo3(signature = (bridge, future, name, keys, cost, quotas=None))]
    fn begin<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
        name: &str,
        keys: Any<'_, 'py>,
        cost: Option<Any<'_, 'py>>,
        quotas: Option<&Bound<'py, PyGateQuotas>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let limits = &self.limits;
        let chosen = quotas.map(|quotas| &*quotas.get().0);
        if name == "check" {
            limits.layout.without_permits(chosen, "check")?;
        }
        let questions = limits.questions(chosen, keys, cost)?;
        begun(
            py,
            &limits.route,
            bridge,
            future,
            limits.call(verb(name), &questions)?,
        )
    }

    /// The same; blocks this thread.
    #[pyo3(signature = (name, keys, cost, quotas=None))]
    fn ask(
        &self,
        name: &str,
        keys: Any<'_, '_>,
        cost: Option<Any<'_, '_>>,
        quotas: Option<&Bound<'_, PyGateQuotas>>,
    ) -> PyResult<Py<PyGateDecision>> {
        let limits = &self.limits;
        let chosen = quotas.map(|quotas| &*quotas.get().0);
        if name == "check" {
            limits.layout.without_permits(chosen, "check_sync")?;
        }
        let questions = limits.questions(chosen, keys, cost)?;
        limits.asked(keys.py(), verb(name), &questions, drop)
    }

    /// Begin to forget keys, as `begin`.
    #[pyo3(signature = (bridge, future, keys))]
    fn begin_reset<'py>(
        &self,
        py: Python<'py>,
        bridge: &PyBridge,
        future: Py<PyAny>,
        keys: Any<'_, 'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let questions = self.limits.resets(keys)?;
        let call = self.limits.call(Verb::Reset, &questions)?;
        begun(py, &self.limits.route, bridge, future, call)
    }

    /// Forget keys. Blocks this thread.
    fn ask_reset(&self, keys: Any<'_, '_>) -> PyResult<()> {
        let questions = self.limits.resets(keys)?;
        let call = || self.limits.call(Verb::Reset, &questions);
        asked(keys.py(), &self.limits.route, call).map(drop)
    }

    /// Begin to give back what a decision spent: one request each, for what `new_future` gives.
    fn begin_refund<'py>(
        &self,
        bridge: &PyBridge,
        new_future: Any<'_, 'py>,
        keys: Any<'_, 'py>,
        decision: Any<'_, 'py>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let requests = self.limits.refund(keys, receipt(decision)?.get())?;
        sent(&self.limits, bridge, new_future, requests)
    }

    /// The same. Blocks this thread.
    fn ask_refund(&self, keys: Any<'_, '_>, decision: Any<'_, '_>) -> PyResult<()> {
        let requests = self.limits.refund(keys, receipt(decision)?.get())?;
        all_answered(keys.py(), &self.limits, requests)
    }

    /// Begin to put right what a decision spent at the limits that were chosen, as `begin_refund`.
    #[expect(clippy::too_many_arguments, reason = "what Python gives")]
    fn begin_settle<'py>(
        &self,
        bridge: &PyBridge,
        new_future: Any<'_, 'py>,
        quotas: &Bound<'py, PyGateQuotas>,
        keys: Any<'_, 'py>,
        cost: Any<'_, 'py>,
        decision: Any<'_, 'py>,
        used: &Bound<'py, PyTuple>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let (chosen, decision) = (&quotas.get().0, receipt(decision)?.get());
        let requests = self.limits.settle(chosen, keys, cost, decision, used)?;
        sent(&self.limits, bridge, new_future, requests)
    }

    /// The same. Blocks this thread.
    fn ask_settle(
        &self,
        quotas: &Bound<'_, PyGateQuotas>,
        keys: Any<'_, '_>,
        cost: Any<'_, '_>,
        decision: Any<'_, '_>,
        used: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        let (chosen, decision) = (&quotas.get().0, receipt(decision)?.get());
        let requests = self.limits.settle(chosen, keys, cost, decision, used)?;
        all_answered(keys.py(), &self.limits, requests)
    }

    /// A call that is made more than once, to wait for it or to reserve, of all limits or those that are
    /// chosen. `verb`: which must keep no permit.
    #[pyo3(signature = (keys, cost, verb=None, quotas=None))]
    fn call(
        &self,
        keys: Any<'_, '_>,
        cost: Any<'_, '_>,
        verb: Option<&str>,
        quotas: Option<&Bound<'_, PyGateQuotas>>,
    ) -> PyResult<PyRedisGateCall> {
        let chosen = quotas.map(|quotas| Arc::clone(&quotas.get().0));
        if let Some(verb) = verb {
            let layout = &self.limits.layout;
            layout.without_permits(chosen.as_deref(), verb)?;
        }
        Ok(PyRedisGateCall {
            limits: Arc::clone(&self.limits),
            questions: self.limits.questions(chosen.as_deref(), keys, Some(cost))?,
            chosen,
            cost: cost.clone().unbind(),
            held: Mutex::default(),
        })
    }

    /// Calls of the gate: admitted, refused, errors, timeouts, local and remembered.
    fn statistics(&self) -> (u64, u64, u64, u64, u64, u64) {
        let s = self.limits.gate.counts().read();
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
        let limits = self.limits.gate.limits().iter();
        limits
            .map(|limit| limit.limiter.statistics().would_have_refused)
            .collect()
    }

    /// The text of the script that decides.
    #[staticmethod]
    fn script() -> &'static str {
        GATE.text()
    }

    /// A call by the places of limits, without names: their decisions. Blocks this thread.
    #[expect(clippy::needless_pass_by_value, reason = "what Python gives")]
    fn ask_plain<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        asked_of: Vec<plain::Asked<'py>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let limits = &self.limits;
        let several = asked(py, &limits.route, || {
            let asks = limits.plain_asks(&asked_of)?;
            prepared(&limits.gate, plain::verb(name), asks, Arc::new(()))
        })?;
        told(py, &several)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.limits.layout.visit(&visit)
    }
}
