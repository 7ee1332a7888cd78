//! A coroutine's ticket in a key's queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;

use super::decision::PyDecision;
use super::limits_off::{admit_untouched, limits_are_off};
use super::patiently;
use crate::clock::{Ticks, seconds};
use crate::store::{Patience, Polled, Queues, Ticket};

/// A ticket of one who waits.
#[pyclass(frozen, name = "Ticket", module = "sluicegate._core")]
pub(super) struct PyTicket {
    store: Arc<dyn Queues>,
    ticket: Ticket,
    /// `Ticks::MAX`: only when woken.
    poll_at: AtomicU64,
}

impl PyTicket {
    pub(super) fn new(store: Arc<dyn Queues>, ticket: Ticket, poll_at: Option<Ticks>) -> Self {
        Self {
            store,
            ticket,
            poll_at: AtomicU64::new(poll_at.unwrap_or(Ticks::MAX)),
        }
    }
}

impl Drop for PyTicket {
    /// A ticket that was dropped must not hold up the queue. No holder of the lock that this may
    /// wait for needs the interpreter, and waking the next one runs no Python code.
    fn drop(&mut self) {
        let _ = self.store.leave(&self.ticket, Patience::Wait);
    }
}

#[pymethods]
impl PyTicket {
    /// Try to be admitted: a Decision when it is settled, ``None`` to go on waiting.
    fn poll(&self, py: Python<'_>) -> PyResult<Option<PyDecision>> {
        if limits_are_off() {
            self.leave(py)?;
            let decision = admit_untouched(&*self.store, self.ticket.cost)?;
            return Ok(Some(PyDecision(decision)));
        }
        match patiently(py, |patience| self.store.poll(&self.ticket, patience))? {
            Polled::Settled(decision, _) => Ok(Some(PyDecision(decision))),
            // In a forked child, where its event loop does not run.
            Polled::Gone => Ok(None),
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

    /// Leave the queue; nothing is spent. Does nothing once settled.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        patiently(py, |patience| self.store.leave(&self.ticket, patience))
    }
}
