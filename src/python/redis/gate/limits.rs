//! The limits of a gate in Redis, and its calls on their way: what both kinds of callers need.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::types::PyBool;

use crate::clock::unix_now;
use crate::gate::Question;
use crate::gate::{RedisAsk, RedisGate};
use crate::python::arguments::key_bytes;
use crate::python::gate::{Choice, Layout, PyGateDecision};
use crate::python::limits_off::{limits_are_off, untouched};
use crate::python::redis::blocking;
use crate::python::redis::bridge::PyBridge;
use crate::python::redis::lazy_route::LazyRoute;
use crate::python::redis::limiter::PyRedisLimiter;
use crate::python::redis::renewing::THREADS;
use crate::python::redis::values::{store_error, told};
use crate::store::redis::{Answer, Holders, RedisLimiter, Reply, Request, Several, Verb};

/// A key as the server's limits know it.
pub(super) type Asked = Question<Vec<u8>>;
/// A call to be sent, or what it came to without a server.
pub(super) type Prepared = Result<Request, Several>;
/// What an answer makes sense by.
pub(super) type Context = Arc<dyn Any + Send + Sync>;

/// What a gate is made of.
pub(super) struct Limits {
    pub(super) layout: Layout,
    pub(super) gate: Arc<RedisGate>,
    pub(super) limiters: Box<[Py<PyRedisLimiter>]>,
    pub(super) route: Arc<LazyRoute>,
    pub(super) names: Context,
}

/// Permits of a limit and key, by their numbers.
pub(super) struct Held {
    pub(super) limit: usize,
    pub(super) key: Vec<u8>,
    pub(super) numbers: Vec<u64>,
}

/// The numbers of permits: no two of this process have the same.
static PERMITS: AtomicU64 = AtomicU64::new(0);

impl Limits {
    /// What the limits are asked, all or those that are chosen.
    pub(super) fn questions(
        &self,
        chosen: Option<&Choice>,
        keys: &Bound<'_, PyAny>,
        cost: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<Asked>> {
        let bytes = |key: &Bound<'_, pyo3::types::PyString>| key_bytes(key.as_any());
        let questions = self.layout.questions_by(chosen, keys, cost, bytes)?;
        Ok(questions.into_vec())
    }

    /// By which limiters they are kept.
    pub(super) fn kept_by(&self) -> Vec<Arc<RedisLimiter>> {
        let limits = self.gate.limits().iter();
        limits.map(|limit| Arc::clone(&limit.limiter)).collect()
    }

    pub(super) fn keys_of_limits(&self, keys: &Bound<'_, PyAny>) -> PyResult<Vec<Option<Vec<u8>>>> {
        self.layout
            .keys_of_limits(keys, |key| key_bytes(key.as_any()))
    }

    /// What is asked to forget the keys that are given.
    pub(super) fn resets(&self, keys: &Bound<'_, PyAny>) -> PyResult<Vec<Asked>> {
        let keys = self.keys_of_limits(keys)?.into_iter().enumerate();
        let given = keys.filter_map(|(limit, key)| Some((limit, key?)));
        Ok(given
            .map(|(limit, key)| Asked {
                limit,
                key,
                cost: 1,
                quota: None,
            })
            .collect())
    }

    /// A call, ready to be sent.
    pub(super) fn call(&self, verb: Verb, questions: &[Asked]) -> PyResult<Prepared> {
        Ok(self.call_for_permits(verb, questions)?.0)
    }

    /// The same, and the permits that it may come to hold. They have new numbers; all are renewed by the
    /// thread that talks to servers, whoever holds them.
    pub(super) fn call_for_permits(
        &self,
        verb: Verb,
        questions: &[Asked],
    ) -> PyResult<(Prepared, Vec<Held>)> {
        let asks = questions.iter().map(|question| {
            let part = &self.layout.parts[question.limit];
            let limit = question.quota.as_deref().unwrap_or(&part.quota).limit();
            // One that only watches may be asked for more than there are, and takes none.
            let takes = part.are_permits() && verb == Verb::Check && limit >= Some(question.cost);
            let permits = u64::from(question.cost) * u64::from(takes);
            let first = PERMITS.fetch_add(permits, Relaxed);
            let limiter = &self.gate.limits()[question.limit].limiter;
            let quota = question.quota.as_deref();
            Ok(RedisAsk {
                limit: question.limit,
                key: question.key.clone(),
                cost: question.cost,
                quota: quota.map(|quota| limiter.quota_given(quota)).transpose()?,
                holders: Holders {
                    numbers: (first..first + permits).collect(),
                    home: THREADS,
                    quiet: false,
                },
            })
        });
        let asks: Vec<_> = asks.collect::<PyResult<_>>()?;
        let held = asks.iter().filter(|ask| !ask.holders.numbers.is_empty());
        let held = held.map(|ask| Held {
            limit: ask.limit,
            key: ask.key.clone(),
            numbers: ask.holders.numbers.clone(),
        });
        let held = held.collect();
        let call = prepared(&self.gate, verb, asks, Arc::clone(&self.names))?;
        Ok((call, held))
    }

    /// What a call came to; this thread waits for that. What it may hold is told as soon as it is known.
    pub(super) fn asked(
        &self,
        py: Python<'_>,
        verb: Verb,
        questions: &[Asked],
        note: impl Fn(Vec<Held>),
    ) -> PyResult<Py<PyGateDecision>> {
        let several = asked(py, &self.route, || {
            let (call, held) = self.call_for_permits(verb, questions)?;
            note(held);
            Ok(call)
        })?;
        self.renew(py, questions)?;
        Ok(told(py, &several)?.cast_into::<PyGateDecision>()?.unbind())
    }

    /// Have the permits renewed that may be held of what was asked.
    pub(super) fn renew(&self, py: Python<'_>, questions: &[Asked]) -> PyResult<()> {
        for question in questions {
            if self.layout.parts[question.limit].are_permits() {
                self.limiters[question.limit].bind(py).get().renew_held()?;
            }
        }
        Ok(())
    }
}

/// Get a call ready to be sent.
pub(super) fn prepared(
    gate: &Arc<RedisGate>,
    verb: Verb,
    asks: Vec<RedisAsk>,
    context: Context,
) -> PyResult<Prepared> {
    if !limits_are_off() || verb == Verb::Reset {
        return Ok(gate.call(verb, asks, context)?);
    }
    let decisions = asks.iter().map(|ask| {
        let limiter = &gate.limits()[ask.limit].limiter;
        limiter.hold_uncounted(&ask.key, &ask.holders);
        let quota = ask.quota.clone().unwrap_or_else(|| limiter.quota());
        (ask.limit, untouched(quota.limit(), unix_now()))
    });
    let decisions = decisions.collect();
    Ok(Err(Several { decisions, context }))
}

/// Send a call, unless it is decided: what it came to, else True if a flush is to be planned.
pub(super) fn begun<'py>(
    py: Python<'py>,
    route: &LazyRoute,
    bridge: &PyBridge,
    future: Py<PyAny>,
    call: Prepared,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match call {
        Err(several) => told(py, &several).map(Some),
        Ok(call) => {
            let plan = bridge.submit(route.get()?, future, call);
            Ok(plan.then(|| PyBool::new(py, true).to_owned().into_any()))
        }
    }
}

/// What a call came to; this thread waits for that. `again` gets it ready, once more in a child that was
/// forked meanwhile.
pub(super) fn asked(
    py: Python<'_>,
    route: &LazyRoute,
    again: impl Fn() -> PyResult<Prepared>,
) -> PyResult<Several> {
    loop {
        let call = match again()? {
            Err(several) => return Ok(several),
            Ok(call) => call,
        };
        let answers = blocking::answers(py, route, vec![call])?;
        if let Some(answer) = answers.and_then(|answers| answers.into_iter().next()) {
            return several(py, answer);
        }
    }
}

fn several(py: Python<'_>, answer: Answer) -> PyResult<Several> {
    match answer {
        Ok(Reply::Several(several)) => Ok(several),
        Ok(_) => unreachable!("a gate's call comes to decisions of its limits"),
        Err(failure) => Err(store_error(py, &failure)),
    }
}
