//! How calls of a gate wait: an event loop's by bells and tickets, those in threads of their own asleep.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;

use super::call::{Joined, PyGateCall};
use super::decision::PyGateDecision;
use crate::clock::{Ticks, seconds};
use crate::gate::{GatePolled, GateTicket};
use crate::python::arguments;
use crate::python::limits_off::limits_are_off;
use crate::python::patiently;
use crate::python::waiting::{PyBells, Sleeper};
use crate::store::{Parker, Wake};

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// A ticket of a call of a gate that waits.
#[pyclass(frozen, name = "GateTicket", module = "sluicegate._core")]
pub(in crate::python) struct PyGateTicket {
    call: Py<PyGateCall>,
    /// Another one when the gate's limits have been replaced.
    ticket: Mutex<Arc<GateTicket>>,
    wake: Arc<dyn Wake>,
    /// `Ticks::MAX`: only when woken; and never.
    poll_at: AtomicU64,
    until: Ticks,
}

/// What came of a poll.
enum Came {
    Settled(Py<PyGateDecision>),
    Pending,
    /// It lined up in a process of which this one was forked.
    Gone,
}

impl PyGateTicket {
    /// Line up, unless it is decided at once.
    fn of(
        call: &Bound<'_, PyGateCall>,
        timeout: Option<Ticks>,
        wake: &Arc<dyn Wake>,
    ) -> PyResult<Result<Self, Py<PyGateDecision>>> {
        let until = call
            .get()
            .now()
            .saturating_add(timeout.unwrap_or(Ticks::MAX));
        Ok(match call.get().join(call.py(), timeout, None, wake)? {
            Joined::Settled(decision) => Err(decision),
            Joined::Queued(ticket, poll_at) => Ok(Self {
                call: call.clone().unbind(),
                ticket: Mutex::new(Arc::new(ticket)),
                wake: Arc::clone(wake),
                poll_at: AtomicU64::new(poll_at.unwrap_or(Ticks::MAX)),
                until,
            }),
        })
    }

    fn ticket(&self) -> Arc<GateTicket> {
        Arc::clone(&self.ticket.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn polled(&self, py: Python<'_>) -> PyResult<Came> {
        let (call, ticket) = (self.call.get(), self.ticket());
        if limits_are_off() {
            patiently(py, |patience| ticket.leave(patience))?;
            return call.untouched(py).map(Came::Settled);
        }
        match patiently(py, |patience| ticket.poll(patience))? {
            GatePolled::Settled(settled) => call.told(py, &settled).map(Came::Settled),
            GatePolled::Pending(poll_at) => Ok(self.pending(poll_at)),
            GatePolled::Gone if call.is_current() => Ok(Came::Gone),
            GatePolled::Gone => self.line_up_again(py, ticket.number()),
        }
    }

    fn pending(&self, poll_at: Option<Ticks>) -> Came {
        self.poll_at.store(poll_at.unwrap_or(Ticks::MAX), Relaxed);
        Came::Pending
    }

    /// Line up for the limits that are in force now, where it stood before.
    fn line_up_again(&self, py: Python<'_>, number: u64) -> PyResult<Came> {
        let call = self.call.get();
        let left = (self.until < Ticks::MAX).then(|| self.until.saturating_sub(call.now()));
        match call.join(py, left, Some(number), &self.wake)? {
            Joined::Settled(decision) => Ok(Came::Settled(decision)),
            Joined::Queued(ticket, poll_at) => {
                let before = {
                    let mut now = self.ticket.lock().unwrap_or_else(PoisonError::into_inner);
                    std::mem::replace(&mut *now, Arc::new(ticket))
                };
                drop(before);
                Ok(self.pending(poll_at))
            }
        }
    }

    /// How long until it is polled again; `None`: when it is woken.
    fn left(&self) -> Option<Ticks> {
        let (poll_at, call) = (self.poll_at.load(Relaxed), self.call.get());
        // A manual clock wakes whoever waits for it; seconds of another clock mean nothing.
        let is_timed = poll_at < Ticks::MAX && !call.has_manual_clock();
        is_timed.then(|| poll_at.saturating_sub(call.now()))
    }
}

#[pymethods]
impl PyGateTicket {
    /// Try to be admitted: a decision when it is settled, ``None`` to go on waiting.
    fn poll(&self, py: Python<'_>) -> PyResult<Option<Py<PyGateDecision>>> {
        Ok(match self.polled(py)? {
            Came::Settled(decision) => Some(decision),
            // It is gone in a forked child, where its event loop does not run.
            Came::Pending | Came::Gone => None,
        })
    }

    /// Seconds after which to poll again, or ``None``: wait for the wake-up.
    #[getter]
    fn delay(&self) -> Option<f64> {
        self.left().map(seconds)
    }

    /// Wait no longer; nothing is spent. Does nothing once settled.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let ticket = self.ticket();
        patiently(py, |patience| ticket.leave(patience))
    }
}

/// Decide, or line up; the bell rings when it is to be polled.
#[pyfunction]
#[pyo3(signature = (call, timeout, bells, number))]
pub(in crate::python) fn gate_enqueue<'py>(
    call: &Bound<'py, PyGateCall>,
    timeout: Option<Any<'_, 'py>>,
    bells: &PyBells,
    number: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let py = call.py();
    match PyGateTicket::of(call, arguments::timeout(timeout)?, &bells.bell(number))? {
        Ok(ticket) => Ok(Bound::new(py, ticket)?.into_any()),
        Err(decision) => Ok(decision.into_bound(py).into_any()),
    }
}

/// Block this thread until it is decided; the interpreter runs on meanwhile.
#[pyfunction]
#[pyo3(signature = (call, timeout))]
pub(in crate::python) fn gate_wait_sync(
    call: &Bound<'_, PyGateCall>,
    timeout: Option<Any<'_, '_>>,
) -> PyResult<Py<PyGateDecision>> {
    let (py, timeout) = (call.py(), arguments::timeout(timeout)?);
    let until = timeout.map(|timeout| call.get().now().saturating_add(timeout));
    let mut left = timeout;
    loop {
        let parker = Arc::new(Parker::default());
        let wake: Arc<dyn Wake> = parker.clone();
        let ticket = match PyGateTicket::of(call, left, &wake)? {
            Ok(ticket) => ticket,
            Err(decision) => return Ok(decision),
        };
        let sleeper = Sleeper::new(py, &parker)?;
        loop {
            sleeper.sleep(py, ticket.left().map(Duration::from_micros))?;
            match ticket.polled(py)? {
                Came::Settled(decision) => return Ok(decision),
                Came::Pending => {}
                // This process is a child that was forked in the middle of it: line up anew.
                Came::Gone => break,
            }
        }
        left = until.map(|until| until.saturating_sub(call.get().now()));
    }
}
