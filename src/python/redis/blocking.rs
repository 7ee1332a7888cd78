//! How a thread without an event loop asks a server: it sleeps until the thread that talks to
//! servers has all its answers. That thread sees numbers and values, never a Python object.

use std::cell::Cell;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;

use super::inside;
use super::lazy_route::LazyRoute;
use super::runtime::end_with_the_interpreter;
use super::seat::Seat;
use super::way_back::{self, ToSeat};
use crate::store::redis::{Answer, Request, Route, Sink, generation, take_notices};

/// How often a thread that waits looks for Ctrl-C. Only the main thread ever finds a signal.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

thread_local! {
    /// The seat that this thread used last. It is not here while somebody sits on it: what a
    /// signal's handler asks meanwhile has another, and so has the next call after one that was
    /// interrupted, whose answers may still come.
    static FREE: Cell<Option<Arc<Seat>>> = const { Cell::new(None) };
}

/// The answers to requests, in their order; this thread sleeps until they are there, at the
/// latest when their timeouts are over. `None`: this process is a child that was forked
/// meanwhile, where no answer comes.
pub(super) fn answers(
    py: Python<'_>,
    route: &LazyRoute,
    mut requests: Vec<Request>,
) -> PyResult<Option<Vec<Answer>>> {
    for (number, request) in requests.iter_mut().enumerate() {
        request.id = number as u64;
    }
    settled(py, route, requests.len(), |route, sink| {
        route.send(requests, &sink);
    })
}

/// So many answers of what is begun by `begin`, by their numbers from 0; else the same.
pub(super) fn settled(
    py: Python<'_>,
    route: &LazyRoute,
    number: usize,
    begin: impl FnOnce(&Arc<Route>, Arc<dyn Sink>) + Send,
) -> PyResult<Option<Vec<Answer>>> {
    end_with_the_interpreter(py)?;
    let route = route.get()?;
    let seat = FREE.take().filter(|seat| seat.generation == generation());
    let seat = seat.unwrap_or_else(Seat::new);
    let turn = seat.expect(number);
    let mut next = turn.map_or_else(Vec::new, way_back::pass);
    let mut begin = Some(begin);
    loop {
        let is_answered = detached(py, || {
            if let Some(begin) = begin.take() {
                begin(&route, Arc::new(ToSeat(Arc::clone(&seat))));
                way_back::wake(&take(&mut next));
            }
            seat.wait(SIGNAL_CHECK)
        });
        if is_answered {
            break;
        }
        if let Err(error) = py.check_signals() {
            seat.leave();
            return Err(error);
        }
        if seat.generation != generation() {
            std::mem::forget((seat, route)); // a parent's
            return Ok(None);
        }
    }
    let answers = seat.take();
    FREE.set(Some(seat));
    log_notices(py)?;
    Ok(Some(answers))
}

/// Work without the interpreter. A thread that would come back to one that ends stays away: its
/// coming back would end it in the middle of our frames.
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    let (done, inside) = py.detach(|| (work(), inside::Inside::come_back()));
    drop(inside);
    done
}

fn log_notices(py: Python<'_>) -> PyResult<()> {
    let notices = take_notices();
    if !notices.is_empty() {
        let module = py.import("sluicegate._connection.notices")?;
        module.call_method1("log_all", (notices,))?;
    }
    Ok(())
}

/// Send a request whose answer nobody awaits.
pub(super) fn post(route: &Arc<Route>, requests: Vec<Request>) {
    let nobody: Arc<dyn Sink> = Arc::new(Nobody);
    route.send(requests, &nobody);
}

struct Nobody;

impl Sink for Nobody {
    fn settle(&self, _: Vec<(u64, Answer)>) {}
}
