//! One permit, wherever its limiter keeps them.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};

use pyo3::exceptions::{PyRuntimeError, PyStopIteration, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::limits_off::limits_are_off;
use super::patiently;
use crate::algorithm::Permits;
use crate::clock::Ticks;
use crate::store::{self, Fingerprint, MemoryStore, Patience, Polled, Queues, Ticket};

pub(super) type PermitStore = MemoryStore<Permits>;

/// In the key's queue.
const WAITING: u8 = 0;
const HELD: u8 = 1;
/// Held beside the limit: limits were off.
const UNCOUNTED: u8 = 2;
const OVER: u8 = 3;

/// One of a key's permits. Leaving its ``with`` or ``async with`` releases it; entering one that is
/// not held any more is a ``RuntimeError``.
///
/// One that is dropped without being released is given back when it is garbage-collected; in
/// Redis it runs out with its lease at the latest.
#[pyclass(frozen, name = "Permit", module = "sluicegate.concurrency")]
pub(super) struct PyPermit {
    /// Whose it is.
    #[pyo3(get)]
    key: Py<PyAny>,
    home: Home,
}

/// Where it counts.
enum Home {
    Here(Held),
    /// For a lease, by an object that renews it and gives it back: in Redis one in Python.
    Leased(Py<PyAny>),
}

/// A permit of this process, or the wait for one; over when it is dropped.
pub(super) struct Held {
    store: Arc<PermitStore>,
    fingerprint: Fingerprint,
    state: AtomicU8,
    /// The ticket's number while it waits; when it was taken, once it is held; the process, if it is
    /// not counted.
    value: AtomicU64,
}

/// What a waiter finds.
#[derive(PartialEq)]
pub(super) enum Turn {
    Come,
    NotYet,
    /// It does not wait in this process, which is a child of the one in which it does.
    Gone,
}

impl PyPermit {
    /// A block that enters it may rely on it.
    fn must_be_held(&self, py: Python<'_>) -> PyResult<()> {
        if self.held(py)? {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(
            "this permit is not held: it was released, or lost; acquire another one",
        ))
    }

    /// Whether `release` needs no `await`: it is in memory, or in Redis and a thread's.
    fn blocks(&self, py: Python<'_>) -> PyResult<bool> {
        match &self.home {
            Home::Here(_) => Ok(true),
            Home::Leased(source) => source.getattr(py, "blocks")?.extract(py),
        }
    }

    /// One that `source` holds.
    pub(super) fn leased(key: Py<PyAny>, source: Py<PyAny>) -> Self {
        let home = Home::Leased(source);
        Self { key, home }
    }

    pub(super) fn here(key: Py<PyAny>, held: Held) -> Self {
        let home = Home::Here(held);
        Self { key, home }
    }

    /// Take it if its turn has come; while limits are off it has.
    pub(super) fn turn(&self, py: Python<'_>) -> PyResult<Turn> {
        match &self.home {
            Home::Here(held) => held.turn(py),
            Home::Leased(_) => Ok(Turn::Come),
        }
    }
}

impl Held {
    pub(super) fn waiting(store: Arc<PermitStore>, ticket: &Ticket) -> Self {
        Self::new(store, ticket.key, WAITING, ticket.number)
    }

    pub(super) fn taken(store: Arc<PermitStore>, key: Fingerprint, at: Ticks) -> Self {
        Self::new(store, key, HELD, at)
    }

    pub(super) fn uncounted(store: Arc<PermitStore>, key: Fingerprint) -> Self {
        Self::new(store, key, UNCOUNTED, process::id().into())
    }

    fn new(store: Arc<PermitStore>, fingerprint: Fingerprint, state: u8, value: u64) -> Self {
        Self {
            store,
            fingerprint,
            state: AtomicU8::new(state),
            value: AtomicU64::new(value),
        }
    }

    fn counts(&self, py: Python<'_>) -> PyResult<bool> {
        let value = self.value.load(SeqCst);
        match self.state.load(SeqCst) {
            HELD => patiently(py, |patience| {
                self.store.holds(self.fingerprint, value, patience)
            }),
            UNCOUNTED => Ok(value == u64::from(process::id())),
            _ => Ok(false),
        }
    }

    fn release(&self, py: Python<'_>) -> PyResult<()> {
        let before = self.state.swap(OVER, SeqCst);
        patiently(py, |patience| self.end(before, patience))
    }

    fn ticket(&self) -> Ticket {
        Ticket {
            key: self.fingerprint,
            cost: 1,
            number: self.value.load(SeqCst),
        }
    }

    /// Take it if its turn has come; while limits are off it has.
    pub(super) fn turn(&self, py: Python<'_>) -> PyResult<Turn> {
        if self.state.load(SeqCst) != WAITING {
            return Ok(if self.counts(py)? {
                Turn::Come
            } else {
                Turn::NotYet
            });
        }
        let ticket = self.ticket();
        if limits_are_off() {
            patiently(py, |patience| self.store.leave(&ticket, patience))?;
            return Ok(self.comes(UNCOUNTED, process::id().into()));
        }
        Ok(
            match patiently(py, |patience| self.store.poll(&ticket, patience))? {
                Polled::Settled(_, now) => self.comes(HELD, now),
                Polled::Pending(_) => Turn::NotYet,
                Polled::Gone => Turn::Gone,
            },
        )
    }

    /// The wait is over, unless it was given up at the same moment.
    fn comes(&self, state: u8, value: u64) -> Turn {
        self.value.store(value, SeqCst);
        if self
            .state
            .compare_exchange(WAITING, state, SeqCst, SeqCst)
            .is_ok()
        {
            return Turn::Come;
        }
        let _ = self.end(state, Patience::Wait);
        Turn::NotYet
    }

    /// Undo what `state` stands for. No holder of the lock that this may wait for needs the
    /// interpreter, and waking the next one runs no Python code.
    fn end(&self, state: u8, patience: Patience) -> store::Result<()> {
        let taken_at: Ticks = self.value.load(SeqCst);
        match state {
            WAITING => self.store.leave(&self.ticket(), patience),
            HELD => self
                .store
                .release(self.fingerprint, 1, Some(taken_at), patience),
            _ => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let state = self.state.load(SeqCst);
        let _ = self.end(state, Patience::Wait);
    }
}

#[pymethods]
impl PyPermit {
    /// A permit in Redis, which `source` renews and gives back.
    #[staticmethod]
    fn _leased(key: Py<PyAny>, source: Py<PyAny>) -> Self {
        Self::leased(key, source)
    }

    #[getter]
    fn _source(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        match &self.home {
            Home::Here(_) => None,
            Home::Leased(source) => Some(source.clone_ref(py)),
        }
    }

    /// Whether it counts: it was neither released, nor lost with its lease, and this is the process
    /// that acquired it.
    #[getter]
    fn held(&self, py: Python<'_>) -> PyResult<bool> {
        match &self.home {
            Home::Here(held) => held.counts(py),
            Home::Leased(source) => source.getattr(py, "held")?.extract(py),
        }
    }

    /// Give it back, to the first who waits. A second time does nothing.
    ///
    /// In memory it is done at once, from any thread. In Redis this is a coroutine, or blocks if a
    /// `with` or `try_acquire_sync` gave the permit. The release
    /// is sent by the call itself, in a running event loop, so that cancelling the coroutine
    /// changes nothing. Neither a server that does not answer nor a lease that is lost is an
    /// error: it is sent again for as long as the lease may last.
    fn release(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &self.home {
            Home::Here(held) => held.release(py).map(|()| py.None()),
            Home::Leased(source) => source.call_method0(py, "release"),
        }
    }

    /// Whether it is held, as far as a waiter can tell when its bell has rung.
    fn _come(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.turn(py)? == Turn::Come)
    }

    fn __enter__(slf: Py<Self>, py: Python<'_>) -> PyResult<Py<Self>> {
        if !slf.get().blocks(py)? {
            let text = "a permit in Redis takes time to release: use `async with`";
            return Err(PyTypeError::new_err(text));
        }
        slf.get().must_be_held(py)?;
        Ok(slf)
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.release(py).map(|_| ())
    }

    fn __aenter__(slf: Py<Self>, py: Python<'_>) -> PyResult<PyDone> {
        slf.get().must_be_held(py)?;
        Ok(PyDone(slf.into_any()))
    }

    #[pyo3(signature = (*_error))]
    fn __aexit__(&self, py: Python<'_>, _error: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        match &self.home {
            Home::Leased(_) if !self.blocks(py)? => self.release(py),
            _ => Ok(Py::new(py, PyDone(self.release(py)?))?.into_any()),
        }
    }

    #[expect(clippy::unused_self, reason = "Python calls it as a method")]
    fn __reduce__(&self) -> PyResult<()> {
        // A copy would release it once more.
        Err(PyTypeError::new_err(
            "a permit can be neither copied nor pickled",
        ))
    }
}

/// Awaited, it gives what it holds at once.
#[pyclass(frozen, name = "Done", module = "sluicegate._core")]
struct PyDone(Py<PyAny>);

#[pymethods]
impl PyDone {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<()> {
        Err(PyStopIteration::new_err((self.0.clone_ref(py),)))
    }
}
