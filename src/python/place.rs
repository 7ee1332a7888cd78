//! A coroutine's place in a key's queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;

use super::decision::PyDecision;
use super::patiently;
use crate::clock::{Ticks, seconds};
use crate::store::{Fingerprint, Patience, Polled, Store, Wake};

/// A Python callable as a wake-up.
pub(super) struct Callback(pub(super) Py<PyAny>);

impl Wake for Callback {
    fn wake(&self) {
        Python::attach(|py| {
            if let Err(error) = self.0.call0(py) {
                error.write_unraisable(py, Some(self.0.bind(py)));
            }
        });
    }
}

/// A place in a queue.
#[pyclass(frozen, name = "Place", module = "sluicegate._core")]
pub(super) struct PyPlace {
    store: Arc<dyn Store>,
    key: Fingerprint,
    ticket: u64,
    /// `Ticks::MAX`: only when woken.
    poll_at: AtomicU64,
}

impl PyPlace {
    pub(super) fn new(
        store: Arc<dyn Store>,
        key: Fingerprint,
        ticket: u64,
        poll_at: Option<Ticks>,
    ) -> Self {
        Self {
            store,
            key,
            ticket,
            poll_at: AtomicU64::new(poll_at.unwrap_or(Ticks::MAX)),
        }
    }
}

impl Drop for PyPlace {
    /// A place that was dropped must not hold up the queue.
    fn drop(&mut self) {
        self.store.leave(self.key, self.ticket, Patience::Wait);
    }
}

#[pymethods]
impl PyPlace {
    fn poll(&self, py: Python<'_>) -> PyResult<Option<PyDecision>> {
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

    #[getter]
    fn delay(&self) -> Option<f64> {
        let poll_at = self.poll_at.load(Relaxed);
        // A manual clock wakes whoever waits for it; seconds of another clock mean nothing.
        if poll_at == Ticks::MAX || self.store.is_manual() {
            return None;
        }
        Some(seconds(poll_at.saturating_sub(self.store.now())))
    }

    fn leave(&self, py: Python<'_>) {
        patiently(py, |patience| {
            self.store.leave(self.key, self.ticket, patience)
        });
    }
}
