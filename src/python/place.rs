//! A coroutine's place in a key's queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{ThreadId, current};

use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use super::decision::PyDecision;
use super::patiently;
use crate::clock::{Ticks, seconds};
use crate::store::{Fingerprint, Patience, Polled, Store, Wake};

/// A coroutine's bell.
///
/// Held weakly: a coroutine that is gone, with its event loop perhaps, holds up nobody.
pub(super) struct Bell {
    bell: Py<PyWeakrefReference>,
    thread: ThreadId,
}

impl Bell {
    pub(super) fn new(bell: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            bell: PyWeakrefReference::new(bell)?.unbind(),
            thread: current().id(),
        })
    }

    fn ring(&self, py: Python<'_>) -> PyResult<bool> {
        match self.bell.bind(py).upgrade() {
            Some(bell) => bell.call_method0("ring")?.is_truthy(),
            None => Ok(false),
        }
    }
}

impl Wake for Bell {
    fn wake(&self) -> bool {
        // While the interpreter ends nobody waits any more, and there is nobody to tell.
        let rung = Python::try_attach(|py| {
            self.ring(py).unwrap_or_else(|error| {
                error.write_unraisable(py, Some(self.bell.bind(py)));
                false
            })
        });
        rung.unwrap_or(true)
    }

    /// Attached once: while another thread is busy, each time costs its switch interval.
    fn together(&self, ring: &mut dyn FnMut()) {
        if Python::try_attach(|_| ring()).is_none() {
            ring();
        }
    }

    fn needs_this_thread(&self) -> bool {
        self.thread == current().id()
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
    /// Try to be admitted: a Decision when it is settled, ``None`` to go on waiting.
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
