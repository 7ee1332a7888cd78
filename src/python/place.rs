//! A coroutine's place in a key's queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;

use super::decision::PyDecision;
use super::patiently;
use super::switch::{admit_untouched, limits_are_off};
use crate::clock::{Ticks, seconds};
use crate::store::{Fingerprint, Patience, Polled, Store};

/// A place in a queue.
#[pyclass(frozen, name = "Place", module = "sluicegate._core")]
pub(super) struct PyPlace {
    store: Arc<dyn Store>,
    key: Fingerprint,
    cost: u32,
    ticket: u64,
    /// `Ticks::MAX`: only when woken.
    poll_at: AtomicU64,
}

impl PyPlace {
    pub(super) fn new(
        store: Arc<dyn Store>,
        key: Fingerprint,
        cost: u32,
        ticket: u64,
        poll_at: Option<Ticks>,
    ) -> Self {
        Self {
            store,
            key,
            cost,
            ticket,
            poll_at: AtomicU64::new(poll_at.unwrap_or(Ticks::MAX)),
        }
    }
}

impl Drop for PyPlace {
    /// A place that was dropped must not hold up the queue. No holder of the lock that this may
    /// wait for needs the interpreter, and waking the next one runs no Python code.
    fn drop(&mut self) {
        self.store.leave(self.key, self.ticket, Patience::Wait);
    }
}

#[pymethods]
impl PyPlace {
    /// Try to be admitted: a Decision when it is settled, ``None`` to go on waiting.
    fn poll(&self, py: Python<'_>) -> PyResult<Option<PyDecision>> {
        if limits_are_off() {
            self.leave(py);
            return Ok(Some(PyDecision(admit_untouched(&*self.store, self.cost)?)));
        }
        match patiently(py, |patience| {
            self.store.poll(self.key, self.ticket, patience)
        })? {
            Polled::Settled(decision) => Ok(Some(PyDecision(decision))),
            Polled::Pending(poll_at) => {
                self.poll_at.store(poll_at.unwrap_or(Ticks::MAX), Relaxed);
                Ok(None)
            }
        }
    }

    /// Seconds after which to poll again, or ``None``: wait for the wake-up.
    #[getter]
    fn delay(&self) -> Option<f64> {
        let poll_at = self.poll_at.load(Relaxed);
        // A manual clock wakes whoever waits for it; seconds of another clock mean nothing.
        if poll_at == Ticks::MAX || self.store.is_manual() {
            return None;
        }
        Some(seconds(poll_at.saturating_sub(self.store.now())))
    }

    /// Give the place up; nothing is spent. Does nothing once settled.
    fn leave(&self, py: Python<'_>) {
        patiently(py, |patience| {
            self.store.leave(self.key, self.ticket, patience)
        });
    }
}
