//! Algorithms whose state fits the 110 bits of one word, so that one compare-and-swap changes it.
//!
//! Several processes share a state, and their clocks are read a moment before it is: the time that
//! an algorithm is told may be a little older than what the state holds. None goes back for it. What
//! is spent then counts in the newest window or part.

mod counters;
mod counting;
mod fixed_window;
mod idle;
pub(super) mod kind;
mod permits;
mod segmented_window;
mod sliding_counter;
#[cfg(test)]
mod tests;
mod token_bucket;

pub use counters::Counters;
pub(super) use idle::is_idle;
pub use segmented_window::{largest_limit, lateness, parts_for};
pub(super) use token_bucket::BucketWord;

use crate::algorithm::{Algorithm, AnyAlgorithm, Spend};
use crate::clock::Ticks;
use crate::error::{Error, Result};
use kind::Kind;

/// A spend as its receipt has it, by the mark that a word keeps, and what it cost.
pub(super) type Marked = (Spend, u32);

/// How far the clocks of two processes may seem apart, at most. A state that is further ahead of a
/// time that was read after it is not ahead: its number has gone round since.
const MOST_AHEAD: Ticks = 10_000;

/// A part of that length whose number is cut to so many bits lies either a little ahead or behind.
#[inline]
fn near(cut: u64, bits: u32, now: u64, length: Ticks) -> Option<u64> {
    let round = 1_u64 << bits;
    let ahead = cut.wrapping_sub(now) & (round - 1);
    if ahead == 0 {
        return Some(now); // mostly, and without a division
    }
    if ahead <= MOST_AHEAD.div_ceil(length) {
        Some(now + ahead)
    } else {
        now.checked_sub(round - ahead)
    }
}

/// Whether a part whose number is cut so may be ahead, by clocks of which one was read long ago.
fn seems_ahead(cut: u64, bits: u32, now: u64) -> bool {
    let ahead = cut.wrapping_sub(now) & ((1 << bits) - 1);
    (1..1 << (bits - 4)).contains(&ahead)
}

/// What was given to a limiter of another algorithm.
fn another(quota: &AnyAlgorithm) -> Error {
    let what = "a quota of the limiter's own algorithm";
    Error::out_of_range("quota", &format!("{quota:?}"), what)
}

/// `length` low bits of a number from bit `from` on.
fn field(payload: u128, from: u32, length: u32) -> u64 {
    (payload >> from) as u64 & (u64::MAX >> (64 - length))
}

/// An algorithm whose states are packed into 110 bits. No bit is set of a key that was never seen.
pub trait Word: Algorithm {
    /// Which of the algorithms of a zone it is.
    fn kind(&self) -> Kind;

    /// The window by which the zone tells it from others of its name: nothing that is part of an
    /// amount.
    fn registered_window(&self) -> Ticks {
        self.window()
    }

    /// How its states are laid out: bits of a counter, or 0 where there is one way only.
    fn bits(&self) -> u8 {
        0
    }

    /// Into how many parts the window is cut.
    fn parts(&self) -> u8 {
        1
    }

    /// The quota as this algorithm, laid out so; `None`: as it would like to be.
    ///
    /// # Errors
    /// When the word does not hold it, or it is another algorithm's.
    fn of(quota: &AnyAlgorithm, bits: Option<u8>) -> Result<Self>;

    /// [`Algorithm::mark`], as far as a word keeps it, right after so much was spent.
    fn mark_in_word(&self, state: &Self::State, now: Ticks, _cost: u32) -> u128 {
        self.mark(state, now)
    }

    /// [`Algorithm::give_back`], by the mark that a word keeps.
    fn give_back_marked(
        &self,
        state: &mut Self::State,
        now: Ticks,
        (spend, _): Marked,
        units: u32,
    ) {
        self.give_back(state, now, spend, units);
    }

    /// Whether it is the same quota.
    fn is_same(&self, other: &Self) -> bool {
        (self.limit(), self.window()) == (other.limit(), other.window())
    }

    /// The wait for a cost that does not fit (0 without one), what remains, and how long until all is
    /// back: [`Algorithm::wait`], [`Algorithm::remaining`] and [`Algorithm::reset_after`] at once.
    #[inline]
    fn tell(
        &self,
        state: &Self::State,
        now: Ticks,
        cost: Option<u32>,
    ) -> (Option<Ticks>, u32, Ticks) {
        let wait = cost.map_or(Some(0), |cost| self.wait(state, now, cost));
        let remaining = self.remaining(state, now);
        (wait, remaining, self.reset_after(state, now))
    }

    /// A state in 110 bits. 0 only if nothing counts.
    fn pack(&self, state: &Self::State) -> u128;

    /// The state that was packed. `now` is a time read after it.
    fn unpack(&self, payload: u128, now: Ticks) -> Self::State;

    /// Whether the state is of a later time, as far as can be told: then the clock is to be read
    /// again before it is unpacked, since whoever read it may have been stopped in between.
    fn is_ahead(&self, payload: u128, now: Ticks) -> bool;

    /// How long what is spent outlives a holder that is not heard of; `None`: it is not held.
    fn lease(&self) -> Option<Ticks> {
        None
    }

    /// Let the lease of units that are held begin anew: their mark from now on; `None`: it is over.
    fn renew(
        &self,
        _state: &mut Self::State,
        _now: Ticks,
        _mark: u128,
        _units: u32,
    ) -> Option<u128> {
        None
    }
}
