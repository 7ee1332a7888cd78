//! The order in which threads that have their answers come back to the interpreter.
//!
//! Only one of them can use it. Threads that are all woken at once sleep a second time, for the
//! interpreter. So a thread that is known to ask again at once has a turn: it wakes the next when
//! it does, and has let go of the interpreter. Any other has none, and holds nobody up.

use std::collections::VecDeque;
use std::mem::{forget, take};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::yield_now;

use super::seat::Seat;
use crate::store::redis::{Answer, Sink, generation};

/// Nobody waits for longer for one that has not asked again.
const PATIENCE: Duration = Duration::from_micros(100);

/// The number of the last turn, as it is told to who watches.
static TURN: AtomicU64 = AtomicU64::new(0);

static WAY_BACK: Mutex<WayBack> = Mutex::new(WayBack {
    waiting: VecDeque::new(),
    turn: 0,
    is_taken: false,
    is_watched: false,
    generation: 0,
});

struct WayBack {
    /// Who has all its answers, and sleeps until one that was woken before asks again.
    waiting: VecDeque<Arc<Seat>>,
    /// The number of the last turn.
    turn: u64,
    /// Whether somebody has it.
    is_taken: bool,
    is_watched: bool,
    generation: u64,
}

/// Held only with the interpreter, and by the thread that talks to servers: free in a fork.
fn locked() -> MutexGuard<'static, WayBack> {
    let mut way = WAY_BACK.lock().unwrap_or_else(PoisonError::into_inner);
    if way.generation != generation() {
        forget(take(&mut way.waiting)); // a parent's
        (way.is_taken, way.is_watched) = (false, false);
        way.generation = generation();
    }
    way
}

impl WayBack {
    /// Who is to be woken now: all up to the first who will wake the next.
    fn next(&mut self) -> Vec<Arc<Seat>> {
        let mut woken = Vec::new();
        self.is_taken = false;
        while let Some(seat) = self.waiting.pop_front() {
            self.is_taken = seat.give_turn(self.turn + 1);
            woken.push(seat);
            if self.is_taken {
                self.turn += 1;
                TURN.store(self.turn, Relaxed);
                break;
            }
        }
        woken
    }
}

/// Takes the answers of a seat.
pub(super) struct ToSeat(pub(super) Arc<Seat>);

impl Sink for ToSeat {
    fn settle(&self, arrived: Vec<(u64, Answer)>) {
        if self.0.settle(arrived) {
            come(Arc::clone(&self.0));
        }
    }
}

/// All answers of `seat` are there: wake its thread, when its turn comes.
fn come(seat: Arc<Seat>) {
    let mut way = locked();
    way.waiting.push_back(seat);
    let woken = if way.is_taken { Vec::new() } else { way.next() };
    if way.is_taken
        && !way.is_watched
        && let Ok(handle) = Handle::try_current()
    {
        way.is_watched = true;
        handle.spawn(watch(way.turn));
    }
    drop(way);
    wake(&woken);
}

/// The thread that had that turn asks again: who is to be woken now.
pub(super) fn pass(turn: u64) -> Vec<Arc<Seat>> {
    let mut way = locked();
    if way.is_taken && way.turn == turn {
        way.next()
    } else {
        Vec::new()
    }
}

pub(super) fn wake(seats: &[Arc<Seat>]) {
    for seat in seats {
        seat.wake();
    }
}

/// Wake all who wait, when no turn has begun for a while. Until then, as long as threads ask one
/// time after the other, this keeps its processor awake, and gives it to whoever wants it: to wake
/// a thread on a processor that sleeps takes 17 µs in a virtual machine, on one that is awake 2.
async fn watch(mut turn: u64) {
    let mut since = Instant::now();
    loop {
        yield_now().await;
        std::thread::yield_now();
        let now = TURN.load(Relaxed);
        if now != turn {
            (turn, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            let mut way = locked();
            way.is_taken = false;
            let woken: Vec<_> = way.waiting.drain(..).collect();
            way.is_watched = false;
            drop(way);
            wake(&woken);
            return;
        }
    }
}
