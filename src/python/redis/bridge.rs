//! An event loop's bridge to the thread that talks to servers.
//!
//! Calls go out at once if nothing is on its way, else a quarter of what is on its way at a time,
//! and what is left at the end of the loop's turn; answers come back in one wake-up for all that
//! have arrived. That thread knows numbers, never Python objects.

use std::io::{Read, Write};
use std::mem::{forget, take};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel};

use parking_lot::Mutex;
use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::values::{in_python, store_error, told};
use crate::python::decision::PyDecision;
use crate::store::redis::{Answer, Reply, Request, Route, Sink, generation, take_notices};

/// Fewer calls than this are kept back until the end of the loop's turn.
const CHUNK: usize = 16;

/// Where answers wait for their loop.
struct Inbox {
    answers: Mutex<Vec<(u64, Answer)>>,
    rung: AtomicBool,
    bell: UnixStream,
}

impl Sink for Inbox {
    fn settle(&self, mut answers: Vec<(u64, Answer)>) {
        self.answers.lock().append(&mut answers);
        if !self.rung.swap(true, AcqRel) {
            // A full socket rings anyway, and a closed loop wants no answers.
            let _ = (&self.bell).write(&[1]);
        }
    }
}

#[derive(Default)]
struct Outbox {
    /// Requests that are to be sent, by route.
    requests: Vec<(Arc<Route>, Vec<Request>)>,
    kept: usize,
    on_their_way: usize,
    flush_is_planned: bool,
    /// Who awaits an answer, by number.
    futures: Vec<Option<Py<PyAny>>>,
    free: Vec<u64>,
}

impl Outbox {
    fn number(&mut self) -> u64 {
        self.free.pop().unwrap_or_else(|| {
            self.futures.push(None);
            self.futures.len() as u64 - 1
        })
    }

    fn take_future(&mut self, number: u64) -> Option<Py<PyAny>> {
        self.free.push(number);
        self.on_their_way -= 1;
        self.futures[number as usize].take()
    }
}

/// One event loop's bridge.
#[pyclass(frozen, name = "Bridge", module = "sluicegate._core")]
pub(in crate::python) struct PyBridge {
    inbox: Arc<Inbox>,
    sink: Arc<dyn Sink>,
    ring: UnixStream,
    outbox: Mutex<Outbox>,
    generation: u64,
}

impl PyBridge {
    /// Hand a request over; `future` is told what it comes to, by `set_result` or `set_exception`.
    /// True: a flush has to be planned for the end of the loop's turn.
    pub(super) fn submit(
        &self,
        route: Arc<Route>,
        future: Py<PyAny>,
        mut request: Request,
    ) -> bool {
        let mut outbox = self.outbox.lock();
        let number = outbox.number();
        outbox.futures[number as usize] = Some(future);
        request.id = number;
        match outbox
            .requests
            .iter_mut()
            .find(|(same, _)| Arc::ptr_eq(same, &route))
        {
            Some((_, requests)) => requests.push(request),
            None => outbox.requests.push((route, vec![request])),
        }
        outbox.kept += 1;
        if outbox.on_their_way == 0 || outbox.kept >= CHUNK.max(outbox.on_their_way / 4) {
            self.send(&mut outbox);
            return false;
        }
        !std::mem::replace(&mut outbox.flush_is_planned, true)
    }

    /// A number that no other bridge has while this one is there.
    pub(super) fn number(&self) -> usize {
        Arc::as_ptr(&self.inbox) as usize
    }

    /// The flush that was planned may never come, since planning it can fail: near the recursion
    /// limit, or when a signal handler raises in it. What is kept means that answers are to come,
    /// and with the last of them it goes out.
    fn send_what_is_left(&self) {
        let mut outbox = self.outbox.lock();
        if outbox.on_their_way == 0 && outbox.kept > 0 {
            outbox.flush_is_planned = false;
            self.send(&mut outbox);
        }
    }

    fn send(&self, outbox: &mut Outbox) {
        outbox.on_their_way += take(&mut outbox.kept);
        for (route, requests) in outbox.requests.drain(..) {
            route.send(requests, &self.sink);
        }
    }
}

#[pymethods]
impl PyBridge {
    #[new]
    fn new() -> PyResult<Self> {
        let (ring, bell) = UnixStream::pair()?;
        ring.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        let inbox = Arc::new(Inbox {
            answers: Mutex::default(),
            rung: AtomicBool::new(false),
            bell,
        });
        Ok(Self {
            sink: inbox.clone(),
            inbox,
            ring,
            outbox: Mutex::default(),
            generation: generation(),
        })
    }

    /// The descriptor that is readable when answers have arrived.
    fn fileno(&self) -> i32 {
        self.ring.as_raw_fd()
    }

    /// Send what was kept back.
    fn flush(&self) {
        let mut outbox = self.outbox.lock();
        outbox.flush_is_planned = false;
        self.send(&mut outbox);
    }

    /// Give every answer that has arrived to the future that awaits it. Returns notices; raises
    /// what a signal handler raised meanwhile, once all have their answers.
    fn collect(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let mut interrupted = None;
        let mut rings = [0; 64];
        while matches!((&self.ring).read(&mut rings), Ok(64)) {}
        self.inbox
            .rung
            .store(false, std::sync::atomic::Ordering::Release);
        let answers = take(&mut *self.inbox.answers.lock());
        for (number, answer) in answers {
            let future = self.outbox.lock().take_future(number);
            if let Some(future) = future
                && let Err(error) = settle(py, &future, answer)
            {
                interrupted = Some(error);
            }
        }
        self.send_what_is_left();
        interrupted.map_or_else(|| Ok(take_notices()), Err)
    }

    /// In a forked child: leave everything to the parent.
    fn abandon(&self) {
        forget(take(&mut *self.outbox.lock()));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(outbox) = self.outbox.try_lock() else {
            return Ok(());
        };
        for future in outbox.futures.iter().flatten() {
            visit.call(future)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let futures = take(&mut self.outbox.lock().futures);
        let places = futures.len();
        drop(futures);
        // Numbers stay valid for answers that are still to come.
        self.outbox.lock().futures.resize_with(places, || None);
    }
}

impl Drop for PyBridge {
    fn drop(&mut self) {
        if self.generation != generation() {
            self.abandon();
        }
    }
}

/// A future that was cancelled wants no answer: then this does nothing. Fails with what a signal
/// handler raised meanwhile.
fn settle(py: Python<'_>, future: &Py<PyAny>, answer: Answer) -> PyResult<()> {
    let settled = match answer {
        Ok(reply) => reply_in_python(py, reply)
            .and_then(|reply| future.call_method1(py, intern!(py, "set_result"), (reply,))),
        Err(failure) => {
            let error = store_error(py, &failure);
            future.call_method1(py, intern!(py, "set_exception"), (error,))
        }
    };
    if let Err(error) = settled {
        if !error.is_instance_of::<PyException>(py) {
            return Err(error);
        }
        let done = future.call_method0(py, intern!(py, "done"));
        if !done.and_then(|done| done.is_truthy(py)).unwrap_or(false) {
            error.write_unraisable(py, Some(future.bind(py)));
        }
    }
    Ok(())
}

fn reply_in_python(py: Python<'_>, reply: Reply) -> PyResult<Bound<'_, PyAny>> {
    Ok(match reply {
        Reply::Decision(decision) => Bound::new(py, PyDecision::from(decision))?.into_any(),
        Reply::Several(several) => told(py, &several)?,
        Reply::Value(value) => in_python(py, value)?,
    })
}
