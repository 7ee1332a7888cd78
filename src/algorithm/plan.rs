//! When each of those who wait for a key would be admitted, if nothing else changes.

use super::Algorithm;
use crate::clock::Ticks;

/// What becomes of a key's state while those who wait are admitted in their order.
///
/// It goes with the key's state, of which it need not keep a copy: whoever asks shows the state
/// of that moment, to which nothing has happened since but that time passed, and that the first
/// of those who wait were admitted, each of which was told by `pop`.
pub trait Plan<A: Algorithm>: Send {
    /// Nobody waits.
    fn new(algorithm: &A, state: &A::State) -> Self;

    /// As [`Algorithm::wait`], behind all who wait; `Ticks::MAX` for what no time frees. `at` is not
    /// before any of their turns.
    fn wait(&self, algorithm: &A, state: &A::State, at: Ticks, cost: u32) -> Ticks;

    /// One more waits, and will be admitted at `at`.
    fn push(&mut self, algorithm: &A, at: Ticks, cost: u32);

    /// The first of them was admitted.
    fn pop(&mut self);
}

/// The state as it will be: for algorithms whose states are small.
pub struct StatePlan<A: Algorithm>(A::State);

impl<A: Algorithm> Plan<A> for StatePlan<A> {
    fn new(_algorithm: &A, state: &A::State) -> Self {
        Self(state.clone())
    }

    fn wait(&self, algorithm: &A, _state: &A::State, at: Ticks, cost: u32) -> Ticks {
        algorithm.wait(&self.0, at, cost).unwrap_or(Ticks::MAX)
    }

    fn push(&mut self, algorithm: &A, at: Ticks, cost: u32) {
        algorithm.spend(&mut self.0, at, cost);
    }

    fn pop(&mut self) {}
}
