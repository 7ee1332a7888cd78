//! The base class: the verbs, once for all algorithms.

mod asking;
mod batch;
pub(super) mod fast_call;

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::arguments::key_quota::key_quota;
use super::arguments::refund::Refund;
use super::arguments::{self, Cost, Given};
use super::decision::{PyDecision, PyStatistics};
use super::patiently;
use super::waiting::{self, PyBells, PyTicket};
use crate::clock::seconds;
use crate::store::{Ask, Patience, Queues};

/// What the limiters in memory have in common. None is pickled or copied: their state is here.
#[pyclass(
    subclass,
    frozen,
    weakref,
    name = "Limiter",
    module = "sluicegate._core"
)]
pub(super) struct PyLimiter {
    pub(super) store: Arc<dyn Queues>,
    /// What its costs count.
    pub(super) unit: Arc<str>,
}

#[pymethods]
impl PyLimiter {
    /// The quota's limit in units, or the bucket's capacity in tokens.
    #[getter]
    fn limit(&self) -> u32 {
        self.store.limit()
    }

    /// The window's length in seconds; for a bucket, the seconds from empty to full.
    #[getter]
    fn window_seconds(&self) -> f64 {
        seconds(self.store.window())
    }

    /// Decide now, and spend ``cost`` units of ``key`` if it is admitted. A :class:`Decision`, which is
    /// true when allowed.
    ///
    /// From any thread or coroutine: it does no I/O and takes well under a microsecond. Any ``str`` is
    /// a key.
    ///
    /// With ``quota``, a :class:`Quota` (quickest) or its text, another amount than the limiter's
    /// decides: ``check("user:1", quota=Quota("5000/day"))``. It has the window and the unit of the
    /// limiter's own; a bucket's may be any rate. What a key has spent stays spent when the next call
    /// comes with another quota or with none, and those who wait for the key are decided by that of the
    /// last call. At most 65,535 other quotas are in use at once, as long as a key that has spent by
    /// them counts; beyond that the limiter's own decides, and ``statistics().defaulted`` tells.
    ///
    /// Raises ``TypeError`` for a key that is no ``str`` or a cost that is no ``int``, ``ValueError`` for a
    /// cost below 1 or above the limit (it could never be admitted), or for a quota of another window,
    /// unit or algorithm.
    #[pyo3(
        signature = (key, cost=Cost(1), *, quota=None),
        text_signature = "($self, key, cost=1, *, quota=None)"
    )]
    fn check(
        &self,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyDecision> {
        let verb = |store: &dyn Queues, ask: Ask<'_>, patience| {
            store.check(ask, None, patience).map(PyDecision::from)
        };
        self.ask(key, cost, quota, PyDecision::from, verb)
    }

    /// Whether :meth:`check` would admit ``cost`` units now, and what is left before it. Spends nothing
    /// and counts in no statistics. Raises what :meth:`check` raises.
    #[pyo3(
        signature = (key, cost=Cost(1), *, quota=None),
        text_signature = "($self, key, cost=1, *, quota=None)"
    )]
    fn peek(
        &self,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyDecision> {
        let verb = |store: &dyn Queues, ask: Ask<'_>, patience| {
            store.peek(ask, patience).map(PyDecision::from)
        };
        self.ask(key, cost, quota, PyDecision::from, verb)
    }

    /// :meth:`check` as a bool, and the fastest verb. Raises what :meth:`check` raises.
    #[pyo3(
        signature = (key, cost=Cost(1), *, quota=None),
        text_signature = "($self, key, cost=1, *, quota=None)"
    )]
    fn is_allowed(
        &self,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        self.allows(key, cost, quota)
    }

    /// :meth:`is_allowed` for each key, in order: a list of bools. Nothing is atomic between keys.
    ///
    /// Every key is looked at before the first one is spent, so that an error spends nothing. From
    /// 100,000 keys on other threads run meanwhile.
    ///
    /// Raises ``TypeError`` for ``keys`` that are no iterable of ``str``, and what :meth:`check` raises.
    #[pyo3(
        signature = (keys, cost=Cost(1), *, quota=None),
        text_signature = "($self, keys, cost=1, *, quota=None)"
    )]
    fn is_allowed_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        cost: Cost,
        quota: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let quota = key_quota(quota, &self.unit)?;
        batch::is_allowed_many(py, &*self.store, keys, cost, quota.as_deref())
    }

    /// Block this thread until ``cost`` units are admitted; refuse at once, with nothing spent, if that
    /// would take over ``timeout`` seconds: 0 to 1,000,000,000, or ``None`` to wait as long as it takes.
    ///
    /// First come, first served, in one queue a key with ``wait``. Other threads run meanwhile. Ctrl-C
    /// leaves the queue. Not for a coroutine: it would block its event loop.
    ///
    /// Raises what :meth:`check` raises, ``ValueError`` or ``TypeError`` for a bad timeout, and
    /// ``RuntimeError`` when nothing would ever wake it.
    #[pyo3(
        signature = (key, cost=Cost(1), timeout=None, *, quota=None),
        text_signature = "($self, key, cost=1, timeout=None, *, quota=None)"
    )]
    fn wait_sync(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        timeout: Option<&Bound<'_, PyAny>>,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyDecision> {
        let quota = key_quota(quota, &self.unit)?;
        let ask = Ask {
            key: arguments::key(&*self.store, key)?,
            cost: cost.0,
            quota: quota.as_deref(),
        };
        let wanted = (ask, arguments::timeout(timeout)?);
        waiting::wait_sync(py, &self.store, wanted).map(PyDecision::from)
    }

    /// Give back what a decision of this limiter spent of ``key``: ``refund(key, decision)``, or
    /// ``units`` of it, until all of it has come back.
    ///
    /// It gives back those very units while they count, and nothing after: of a log those of their
    /// microsecond, of a counter from the window that counted them. A bucket gives back what is
    /// missing for their sake: all of it if nobody spent since, and never more than would be there
    /// had they not been spent. When the rate of a bucket has changed, or the window of a counter or of
    /// segments, nothing comes back.
    ///
    /// ``refund(key, cost)`` is for those who kept no decision: it gives back the oldest units that
    /// still count, never above the whole quota. It cannot know whose they are: in a fixed window of
    /// two a minute, spend one at 59 s and two at 61 s, refund the first, and one more is admitted:
    /// three of two in that minute.
    ///
    /// A receipt from before a ``reset`` of its key gives nothing back; nor does any older one once 65,000
    /// keys or so have been reset.
    ///
    /// Raises what :meth:`check` raises, and ``ValueError`` for a decision that is no receipt: a refusal,
    /// a copy, one of another limiter or key, one that has come back whole.
    #[pyo3(signature = (key, cost=Given::Nothing, units=None), text_signature = "($self, key, cost=1, units=None)")]
    fn refund(
        &self,
        key: &Bound<'_, PyAny>,
        cost: Given<'_>,
        units: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let cost = match Refund::of(cost.value().as_ref(), units)? {
            Refund::Spend(decision, units) => {
                return self.refund_decision(key, decision.get(), units);
            }
            Refund::Units(cost) => cost,
        };
        // While limits are off nothing is spent, so there is nothing to give back.
        self.give_back(key, cost.0)
    }

    /// Forget ``key``: its whole quota is back. Raises ``TypeError`` for a key that is no ``str``.
    #[pyo3(signature = (key))]
    fn reset(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let store = &*self.store;
        let key = arguments::key(store, key)?;
        patiently(py, |patience| store.reset(key, patience))?;
        Ok(())
    }

    /// Forget every key. Statistics stay. Other threads run meanwhile.
    fn clear(&self, py: Python<'_>) {
        py.detach(|| self.store.clear());
    }

    /// What the limiter has done since it was made, as a frozen :class:`Statistics`.
    fn statistics(&self, py: Python<'_>) -> PyResult<PyStatistics> {
        let counts = |patience| self.store.statistics(patience);
        if self.store.scans() {
            return Ok(py
                .detach(|| counts(Patience::Wait))
                .map(PyStatistics::from)?);
        }
        patiently(py, counts).map(PyStatistics::from)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.keys(py)
    }

    #[expect(clippy::unused_self, reason = "an empty limiter is still one")]
    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let store = &slf.get().store;
        let (limit, window) = (store.limit(), seconds(store.window()));
        Ok(format!(
            "<{} limit={limit} window_seconds={window} keys={}>",
            slf.get_type().name()?,
            slf.get().keys(slf.py())
        ))
    }

    /// Admit at once if nobody need wait: a Decision, else None.
    #[pyo3(signature = (key, cost, timeout, quota))]
    fn _admit_at_once(
        &self,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        timeout: Option<&Bound<'_, PyAny>>,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<PyDecision>> {
        arguments::timeout(timeout)?;
        let off = |decision| Some(PyDecision::from(decision));
        let verb = |store: &dyn Queues, ask: Ask<'_>, patience| {
            let admitted = store.admit_at_once(ask, patience)?;
            Ok(admitted.map(PyDecision::from))
        };
        self.ask(key, cost, quota, off, verb)
    }

    /// Decide, or join the queue; the bell rings when it is to be polled.
    #[pyo3(signature = (key, cost, timeout, quota, bells, number))]
    #[expect(clippy::too_many_arguments, reason = "one call, by place")]
    fn _enqueue<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        cost: Cost,
        timeout: Option<&Bound<'py, PyAny>>,
        quota: Option<&Bound<'py, PyAny>>,
        bells: &PyBells,
        number: u64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let quota = key_quota(quota, &self.unit)?;
        let ask = Ask {
            key: arguments::key(&*self.store, key)?,
            cost: cost.0,
            quota: quota.as_deref(),
        };
        let wanted = (ask, arguments::timeout(timeout)?);
        match PyTicket::of(py, &self.store, wanted, &bells.bell(number))? {
            Ok(ticket) => Ok(Bound::new(py, ticket)?.into_any()),
            Err(decision) => Ok(Bound::new(py, PyDecision::from(decision))?.into_any()),
        }
    }
}
