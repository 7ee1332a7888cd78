//! The base class: the verbs, once for all algorithms.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::arguments::{self, Cost, Given};
use super::batch;
use super::decision::{PyDecision, PyStatistics};
use super::limits_off::{admit_untouched, limits_are_off};
use super::patiently;
use super::refund::Refund;
use super::waiting::{self, PyBells, PyTicket};
use crate::algorithm::AnyAlgorithm;
use crate::clock::seconds;
use crate::decision::Decision;
use crate::store::{self, Fingerprint, Options, Patience, Queues, in_memory};

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
}

impl PyLimiter {
    fn refund_decision(
        &self,
        key: &Bound<'_, PyAny>,
        decision: &PyDecision,
        units: Option<u32>,
    ) -> PyResult<()> {
        let fingerprint = arguments::key(&*self.store, key)?;
        if limits_are_off() {
            return Ok(());
        }
        let receipt = &decision.0.receipt;
        let is_mine = self.store.is_mine(receipt);
        let units = decision.take_back(is_mine, fingerprint.tag(), units)?;
        patiently(key.py(), |patience| {
            self.store
                .refund_spend(fingerprint, receipt, units, patience)
        })
    }

    /// The base of a limiter.
    pub(super) fn of(quota: AnyAlgorithm, options: Options) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Self {
            store: in_memory(quota, options),
        })
    }

    /// A quota of this limiter's algorithm.
    pub(super) fn set_quota(&self, py: Python<'_>, quota: AnyAlgorithm) {
        let is_ours = py.detach(|| self.store.set_quota(quota));
        debug_assert!(is_ours);
    }

    /// What `verb` says of a key, as soon as no lock is in its way. While limits are off it is not
    /// asked: `off` makes something of an admission by nobody.
    fn ask<T: Send>(
        &self,
        key: &Bound<'_, PyAny>,
        Cost(cost): Cost,
        off: impl FnOnce(Decision) -> T,
        verb: impl Fn(&dyn Queues, Fingerprint, Patience) -> store::Result<T> + Sync + Send,
    ) -> PyResult<T> {
        let store = &*self.store;
        let fingerprint = arguments::key(store, key)?;
        if limits_are_off() {
            return Ok(off(admit_untouched(store, cost)?));
        }
        patiently(key.py(), |patience| verb(store, fingerprint, patience))
    }

    /// `is_allowed`, also for the class that calls its key `client_id`.
    pub(super) fn allows(&self, key: &Bound<'_, PyAny>, cost: Cost) -> PyResult<bool> {
        self.ask(
            key,
            cost,
            |_| true,
            |store, key, patience| store.is_allowed(key, cost.0, None, patience),
        )
    }
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
    /// Raises ``TypeError`` for a key that is no ``str`` or a cost that is no ``int``, ``ValueError`` for a
    /// cost below 1 or above the limit (it could never be admitted).
    #[pyo3(signature = (key, cost=Cost(1)), text_signature = "($self, key, cost=1)")]
    fn check(&self, key: &Bound<'_, PyAny>, cost: Cost) -> PyResult<PyDecision> {
        self.ask(key, cost, PyDecision::from, |store, key, patience| {
            let checked = store.check(key, cost.0, None, patience);
            checked.map(PyDecision::from)
        })
    }

    /// Whether :meth:`check` would admit ``cost`` units now, and what is left before it. Spends nothing
    /// and counts in no statistics. Raises what :meth:`check` raises.
    #[pyo3(signature = (key, cost=Cost(1)), text_signature = "($self, key, cost=1)")]
    fn peek(&self, key: &Bound<'_, PyAny>, cost: Cost) -> PyResult<PyDecision> {
        self.ask(key, cost, PyDecision::from, |store, key, patience| {
            let seen = store.peek(key, cost.0, patience);
            seen.map(PyDecision::from)
        })
    }

    /// :meth:`check` as a bool, and the fastest verb. Raises what :meth:`check` raises.
    #[pyo3(signature = (key, cost=Cost(1)), text_signature = "($self, key, cost=1)")]
    fn is_allowed(&self, key: &Bound<'_, PyAny>, cost: Cost) -> PyResult<bool> {
        self.allows(key, cost)
    }

    /// :meth:`is_allowed` for each key, in order: a list of bools. Nothing is atomic between keys.
    ///
    /// Every key is looked at before the first one is spent, so that an error spends nothing. From
    /// 100,000 keys on other threads run meanwhile.
    ///
    /// Raises ``TypeError`` for ``keys`` that are no iterable of ``str``, and what :meth:`check` raises.
    #[pyo3(signature = (keys, cost=Cost(1)), text_signature = "($self, keys, cost=1)")]
    fn is_allowed_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
        cost: Cost,
    ) -> PyResult<Bound<'py, PyList>> {
        batch::is_allowed_many(py, &*self.store, keys, cost)
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
        signature = (key, cost=Cost(1), timeout=None),
        text_signature = "($self, key, cost=1, timeout=None)"
    )]
    fn wait_sync(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyDecision> {
        let key = arguments::key(&*self.store, key)?;
        let wanted = (key, cost.0, arguments::timeout(timeout)?);
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
        self.ask(
            key,
            cost,
            |_| (),
            |store, key, patience| store.refund(key, cost.0, patience),
        )
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
        patiently(py, |patience| self.store.statistics(patience)).map(PyStatistics::from)
    }

    fn __len__(&self) -> usize {
        self.store.len()
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
            store.len()
        ))
    }

    /// Admit at once if nobody need wait: a Decision, else None.
    #[pyo3(signature = (key, cost, timeout))]
    fn _admit_at_once(
        &self,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<PyDecision>> {
        arguments::timeout(timeout)?;
        let off = |decision| Some(PyDecision::from(decision));
        self.ask(key, cost, off, |store, key, patience| {
            let admitted = store.admit_at_once(key, cost.0, patience)?;
            Ok(admitted.map(PyDecision::from))
        })
    }

    /// Decide, or join the queue; the bell rings when it is to be polled.
    #[pyo3(signature = (key, cost, timeout, bells, number))]
    fn _enqueue<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        cost: Cost,
        timeout: Option<&Bound<'py, PyAny>>,
        bells: &PyBells,
        number: u64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let key = arguments::key(&*self.store, key)?;
        let wanted = (key, cost.0, arguments::timeout(timeout)?);
        match PyTicket::of(py, &self.store, wanted, &bells.bell(number))? {
            Ok(ticket) => Ok(Bound::new(py, ticket)?.into_any()),
            Err(decision) => Ok(Bound::new(py, PyDecision::from(decision))?.into_any()),
        }
    }
}
