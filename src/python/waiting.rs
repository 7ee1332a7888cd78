//! How callers wait: an event loop's by bells and tickets, those in threads of their own asleep.

pub(super) mod pending;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use pyo3::prelude::*;

use super::decision::PyDecision;
use super::limits_off::{admit_untouched, limits_are_off};
use super::patiently;
use crate::clock::{Ticks, seconds};
use crate::decision::Decision;
use crate::store::{Ask, Bell, Bells, Joined, Parker, Patience, Polled, Queues, Ticket, Wake};

/// How often a blocked main thread looks for Ctrl-C.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// The bells of those who wait in one event loop.
#[pyclass(frozen, name = "Bells", module = "sluicegate._core")]
pub(super) struct PyBells(Arc<Bells>);

impl PyBells {
    /// The bell with this number.
    pub(super) fn bell(&self, number: u64) -> Arc<dyn Wake> {
        Arc::new(Bell::new(Arc::clone(&self.0), number))
    }
}

#[pymethods]
impl PyBells {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(Bells::new()?))
    }

    fn fileno(&self) -> i32 {
        self.0.descriptor()
    }

    fn listener(&self) -> PyListener {
        PyListener(Arc::clone(&self.0))
    }

    #[getter]
    fn open(&self) -> bool {
        self.0.is_open()
    }

    fn rung(&self) -> Vec<u64> {
        self.0.rung()
    }

    fn answered(&self, number: u64) {
        self.0.answered(number);
    }
}

/// Kept by the event loop that listens: gone with it, or when it is closed.
#[pyclass(frozen, name = "Listener", module = "sluicegate._core")]
pub(super) struct PyListener(Arc<Bells>);

impl Drop for PyListener {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A thread that sleeps now and then. Only the main thread is ever asked to handle a signal, so
/// all others sleep until they are woken or due.
pub(super) struct Sleeper<'a> {
    parker: &'a Parker,
    longest: Option<Duration>,
}

impl<'a> Sleeper<'a> {
    pub(super) fn new(py: Python<'_>, parker: &'a Parker) -> PyResult<Self> {
        let threading = py.import("threading")?;
        let main = threading.call_method0("main_thread")?.getattr("ident")?;
        let here = threading.call_method0("get_ident")?;
        let longest = main.eq(here)?.then_some(SIGNAL_CHECK);
        Ok(Self { parker, longest })
    }

    /// Sleep until woken, or for `left`; `None`: as long as it takes. May return before.
    pub(super) fn sleep(&self, py: Python<'_>, left: Option<Duration>) -> PyResult<()> {
        let longest = match (left, self.longest) {
            (Some(left), Some(longest)) => Some(left.min(longest)),
            (left, longest) => left.or(longest),
        };
        py.detach(|| self.parker.park(longest));
        py.check_signals()
    }
}

/// What is waited for, and for how long at most.
type Wanted<'a> = (Ask<'a>, Option<Ticks>);

/// A ticket of one who waits.
#[pyclass(frozen, name = "Ticket", module = "sluicegate._core")]
pub(super) struct PyTicket {
    store: Arc<dyn Queues>,
    ticket: Ticket,
    /// `Ticks::MAX`: only when woken.
    poll_at: AtomicU64,
}

impl PyTicket {
    /// Join the queue, unless it is decided at once.
    pub(super) fn of(
        py: Python<'_>,
        store: &Arc<dyn Queues>,
        (ask, timeout): Wanted<'_>,
        wake: &Arc<dyn Wake>,
    ) -> PyResult<Result<Self, Decision>> {
        if limits_are_off() {
            return Ok(Err(admit_untouched(&**store, ask)?));
        }
        let join = |patience| store.join(ask, timeout, wake, patience);
        let (ticket, poll_at) = match patiently(py, join)? {
            Joined::Settled(decision, _) => return Ok(Err(decision)),
            Joined::Queued { ticket, poll_at } => (ticket, poll_at),
        };
        let queued = Self {
            store: Arc::clone(store),
            ticket,
            poll_at: AtomicU64::new(poll_at.unwrap_or(Ticks::MAX)),
        };
        // Those that were in the queue when they went off are woken; later ones find out here.
        if limits_are_off() {
            return Ok(Err(admit_untouched(&**store, ask)?));
        }
        Ok(Ok(queued))
    }

    fn polled(&self, py: Python<'_>) -> PyResult<Polled> {
        let store = &*self.store;
        if limits_are_off() {
            self.leave(py)?;
            // Its cost was examined when it came.
            let decision = admit_untouched(store, Ask::new(self.ticket.key, 1))?;
            return Ok(Polled::Settled(decision, store.now()));
        }
        let polled = patiently(py, |patience| store.poll(&self.ticket, patience))?;
        if let Polled::Pending(poll_at) = polled {
            self.poll_at.store(poll_at.unwrap_or(Ticks::MAX), Relaxed);
        }
        Ok(polled)
    }

    /// How long until it is polled again; `None`: when it is woken.
    fn left(&self) -> Option<Ticks> {
        let poll_at = self.poll_at.load(Relaxed);
        // A manual clock wakes whoever waits for it; seconds of another clock mean nothing.
        let is_timed = poll_at < Ticks::MAX && !self.store.is_manual();
        is_timed.then(|| poll_at.saturating_sub(self.store.now()))
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
        Ok(match self.polled(py)? {
            Polled::Settled(decision, _) => Some(PyDecision::from(decision)),
            // It is gone in a forked child, where its event loop does not run.
            Polled::Pending(_) | Polled::Gone => None,
        })
    }

    /// Seconds after which to poll again, or ``None``: wait for the wake-up.
    #[getter]
    fn delay(&self) -> Option<f64> {
        self.left().map(seconds)
    }

    /// Leave the queue; nothing is spent. Does nothing once settled.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        patiently(py, |patience| self.store.leave(&self.ticket, patience))
    }
}

/// Block this thread until it is decided; the interpreter runs on meanwhile.
pub(super) fn wait_sync(
    py: Python<'_>,
    store: &Arc<dyn Queues>,
    (ask, timeout): Wanted<'_>,
) -> PyResult<Decision> {
    let until = timeout.map(|timeout| store.now().saturating_add(timeout));
    let mut left = timeout;
    loop {
        let parker = Arc::new(Parker::default());
        let wake: Arc<dyn Wake> = parker.clone();
        let ticket = match PyTicket::of(py, store, (ask, left), &wake)? {
            Ok(ticket) => ticket,
            Err(decision) => return Ok(decision),
        };
        let sleeper = Sleeper::new(py, &parker)?;
        let settled = loop {
            sleeper.sleep(py, ticket.left().map(Duration::from_micros))?;
            match ticket.polled(py)? {
                Polled::Settled(decision, _) => break Some(decision),
                Polled::Pending(_) => {}
                // This process is a child that was forked in the middle of it: line up anew.
                Polled::Gone => break None,
            }
        };
        if let Some(decision) = settled {
            return Ok(decision);
        }
        left = until.map(|until| until.saturating_sub(store.now()));
    }
}
