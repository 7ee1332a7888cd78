//! Where the answers arrive that one thread waits for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::redis::{Answer, generation};

/// A thread that asks again within so long of its last answer has done it at once,
const AT_ONCE: Duration = Duration::from_micros(100);
/// and one that has done so as often as this, one time after the other, will do it again.
const OFTEN: u32 = 16;

/// A thread's seat; its answers come by the numbers of its requests.
pub(super) struct Seat {
    state: Mutex<State>,
    is_called: Condvar,
    pub(super) generation: u64,
}

#[derive(Default)]
struct State {
    answers: Vec<Option<Answer>>,
    missing: usize,
    /// Whether its thread was woken.
    called: bool,
    /// Whether its thread waits no more, for it was interrupted.
    left: bool,
    /// Its turn on the way back, if it has one.
    turn: Option<u64>,
    /// When its thread had its last answers.
    back_at: Option<Instant>,
    /// How often it asked at once, without a pause in between.
    at_once: u32,
}

impl Seat {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            is_called: Condvar::new(),
            generation: generation(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many answers are to come; the turn that its thread has on the way back is over.
    pub(super) fn expect(&self, answers: usize) -> Option<u64> {
        let mut state = self.state();
        state.answers.resize_with(answers, || None);
        state.missing = answers;
        state.called = answers == 0;
        let is_at_once = state.back_at.is_some_and(|at| at.elapsed() < AT_ONCE);
        state.at_once = if is_at_once { state.at_once + 1 } else { 0 };
        state.turn.take()
    }

    /// Whether its thread is woken, `at_most` so long from now.
    pub(super) fn wait(&self, at_most: Duration) -> bool {
        let asleep = |state: &mut State| !state.called;
        let waited = self
            .is_called
            .wait_timeout_while(self.state(), at_most, asleep);
        waited.unwrap_or_else(PoisonError::into_inner).0.called
    }

    pub(super) fn wake(&self) {
        self.state().called = true;
        self.is_called.notify_one();
    }

    /// Whether its thread takes the turn of that number: it will ask again at once.
    pub(super) fn give_turn(&self, number: u64) -> bool {
        let mut state = self.state();
        let takes = state.at_once >= OFTEN && !state.left;
        state.turn = takes.then_some(number);
        takes
    }

    /// Nobody waits here any more.
    pub(super) fn leave(&self) {
        self.state().left = true;
    }

    pub(super) fn take(&self) -> Vec<Answer> {
        let mut state = self.state();
        state.back_at = Some(Instant::now());
        state.answers.drain(..).flatten().collect()
    }

    /// Answers arrive. Whether all are there now.
    pub(super) fn settle(&self, arrived: Vec<(u64, Answer)>) -> bool {
        let mut state = self.state();
        for (number, answer) in arrived {
            if state.answers[number as usize].replace(answer).is_none() {
                state.missing -= 1;
            }
        }
        state.missing == 0
    }
}
