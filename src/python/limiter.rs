//! The base class: the verbs, once for all algorithms.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::arguments::{self, Cost};
use super::batch;
use super::bells::PyBells;
use super::decision::{PyDecision, PyStatistics};
use super::limits_off::{admit_untouched, limits_are_off};
use super::parking::Sleeper;
use super::patiently;
use super::ticket::PyTicket;
use crate::algorithm::AnyAlgorithm;
use crate::clock::{Ticks, seconds};
use crate::decision::Decision;
use crate::store::{Fingerprint, Joined, Parker, Patience, Polled, Queues, Store, Ticket, Wake};

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
    pub(super) fn new(store: Arc<dyn Queues>) -> Self {
        Self { store }
    }

    /// A quota of this limiter's algorithm.
    pub(super) fn set_quota(&self, py: Python<'_>, quota: AnyAlgorithm) {
        let is_ours = py.detach(|| self.store.set_quota(quota));
        debug_assert!(is_ours);
    }

    /// Line up and wait; `None`: this process is a child, forked in the middle of it.
    fn wait_once(
        &self,
        py: Python<'_>,
        key: Fingerprint,
        cost: u32,
        timeout: Option<Ticks>,
    ) -> PyResult<Option<Decision>> {
        let store = &*self.store;
        let parker = Arc::new(Parker::default());
        let wake: Arc<dyn Wake> = parker.clone();
        let joined = patiently(py, |patience| {
            store.join(key, cost, timeout, &wake, patience)
        })?;
        let (ticket, poll_at) = match joined {
            Joined::Settled(decision, _) => return Ok(Some(decision)),
            Joined::Queued { ticket, poll_at } => (ticket, poll_at),
        };
        let settled = self.sleep_through(py, &ticket, poll_at, &parker);
        if settled.is_err() {
            patiently(py, |patience| store.leave(&ticket, patience))?;
        }
        settled
    }

    /// Sleep until it is this ticket's turn; the interpreter runs on meanwhile.
    fn sleep_through(
        &self,
        py: Python<'_>,
        ticket: &Ticket,
        mut poll_at: Option<Ticks>,
        parker: &Parker,
    ) -> PyResult<Option<Decision>> {
        let store = &*self.store;
        let sleeper = Sleeper::new(py, parker)?;
        loop {
            if limits_are_off() {
                patiently(py, |patience| store.leave(ticket, patience))?;
                return Ok(Some(admit_untouched(store, ticket.cost)?));
            }
            let left = poll_at.filter(|_| !store.is_manual());
            let left = left.map(|at| Duration::from_micros(at.saturating_sub(store.now())));
            sleeper.sleep(py, left)?;
            match patiently(py, |patience| store.poll(ticket, patience))? {
                Polled::Settled(decision, _) => return Ok(Some(decision)),
                Polled::Pending(at) => poll_at = at,
                Polled::Gone => return Ok(None),
            }
        }
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
    fn check(&self, py: Python<'_>, key: &Bound<'_, PyAny>, cost: Cost) -> PyResult<PyDecision> {
        let store = &*self.store;
        let now = store.now();
        let key = arguments::key(store, key)?;
        if limits_are_off() {
            return Ok(PyDecision(admit_untouched(store, cost.0)?));
        }
        Ok(PyDecision(patiently(py, |patience| {
            store.check(key, cost.0, unless_waiting(now, patience), patience)
        })?))
    }

    /// Whether :meth:`check` would admit ``cost`` units now, and what is left before it. Spends nothing
    /// and counts in no statistics. Raises what :meth:`check` raises.
    #[pyo3(signature = (key, cost=Cost(1)), text_signature = "($self, key, cost=1)")]
    fn peek(&self, py: Python<'_>, key: &Bound<'_, PyAny>, cost: Cost) -> PyResult<PyDecision> {
        let store = &*self.store;
        let key = arguments::key(store, key)?;
        if limits_are_off() {
            return Ok(PyDecision(admit_untouched(store, cost.0)?));
        }
        Ok(PyDecision(patiently(py, |patience| {
            store.peek(key, cost.0, patience)
        })?))
    }

    /// :meth:`check` as a bool, and the fastest verb. Raises what :meth:`check` raises.
    #[pyo3(signature = (key, cost=Cost(1)), text_signature = "($self, key, cost=1)")]
    fn is_allowed(&self, py: Python<'_>, key: &Bound<'_, PyAny>, cost: Cost) -> PyResult<bool> {
        allows(&*self.store, py, key, cost)
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
        let store = &*self.store;
        let (key, timeout) = (arguments::key(store, key)?, arguments::timeout(timeout)?);
        if limits_are_off() {
            return Ok(PyDecision(admit_untouched(store, cost.0)?));
        }
        let until = timeout.map(|timeout| store.now().saturating_add(timeout));
        let mut left = timeout;
        loop {
            if let Some(decision) = self.wait_once(py, key, cost.0, left)? {
                return Ok(PyDecision(decision));
            }
            left = until.map(|until| until.saturating_sub(store.now()));
        }
    }

    /// Give ``cost`` units of ``key`` back: the oldest that still count, never above the whole quota.
    ///
    /// It cannot know whose units they are: when those that are meant have left their window, it gives
    /// back newer ones. In a fixed window of two a minute, spend one at 59 s and two at 61 s, refund the
    /// first, and one more is admitted: three of two in that minute. Refund soon, or not at all.
    ///
    /// Raises what :meth:`check` raises.
    #[pyo3(signature = (key, cost=Cost(1)), text_signature = "($self, key, cost=1)")]
    fn refund(&self, py: Python<'_>, key: &Bound<'_, PyAny>, cost: Cost) -> PyResult<()> {
        let store = &*self.store;
        let key = arguments::key(store, key)?;
        if limits_are_off() {
            // Nothing was spent, so there is nothing to give back.
            admit_untouched(store, cost.0)?;
            return Ok(());
        }
        patiently(py, |patience| store.refund(key, cost.0, patience))
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
        let counted = patiently(py, |patience| self.store.statistics(patience))?;
        Ok(PyStatistics(counted))
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
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<PyDecision>> {
        let store = &*self.store;
        let key = arguments::key(store, key)?;
        arguments::timeout(timeout)?;
        if limits_are_off() {
            return Ok(Some(PyDecision(admit_untouched(store, cost.0)?)));
        }
        let admitted = patiently(py, |patience| store.admit_at_once(key, cost.0, patience))?;
        Ok(admitted.map(PyDecision))
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
        let store = &*self.store;
        let (key, timeout) = (arguments::key(store, key)?, arguments::timeout(timeout)?);
        if limits_are_off() {
            let decision = PyDecision(admit_untouched(store, cost.0)?);
            return Ok(Bound::new(py, decision)?.into_any());
        }
        let wake = bells.bell(number);
        let joined = patiently(py, |patience| {
            store.join(key, cost.0, timeout, &wake, patience)
        })?;
        let ticket = match joined {
            Joined::Settled(decision, _) => {
                return Ok(Bound::new(py, PyDecision(decision))?.into_any());
            }
            Joined::Queued { ticket, poll_at } => {
                PyTicket::new(Arc::clone(&self.store), ticket, poll_at)
            }
        };
        // Those that were in the queue when they went off are woken; later ones find out here.
        if limits_are_off() {
            let decision = PyDecision(admit_untouched(store, cost.0)?);
            return Ok(Bound::new(py, decision)?.into_any());
        }
        Ok(Bound::new(py, ticket)?.into_any())
    }
}

/// `is_allowed`, also for the class that calls its key `client_id`.
#[inline]
pub(super) fn allows(
    store: &dyn Store,
    py: Python<'_>,
    key: &Bound<'_, PyAny>,
    Cost(cost): Cost,
) -> PyResult<bool> {
    let now = store.now();
    let key = arguments::key(store, key)?;
    if limits_are_off() {
        admit_untouched(store, cost)?;
        return Ok(true);
    }
    patiently(py, |patience| {
        store.is_allowed(key, cost, unless_waiting(now, patience), patience)
    })
}

/// The time that was read before, for a call that does not wait.
fn unless_waiting(now: Ticks, patience: Patience) -> Option<Ticks> {
    (patience == Patience::Try).then_some(now)
}
