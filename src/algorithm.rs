//! The algorithms: pure functions of a quota, a key's state, the time and a cost.
//!
//! No lock, no clock, no I/O. For one state, `admit` and `refund` never see time go back.

mod fixed_window;
mod plan;
mod sliding_counter;
mod sliding_log;
mod token_bucket;

#[cfg(test)]
mod properties;

pub use fixed_window::FixedWindow;
pub use plan::{Plan, StatePlan};
pub use sliding_counter::SlidingCounter;
pub use sliding_log::SlidingLog;
pub use token_bucket::TokenBucket;

use crate::clock::Ticks;

/// A quota with its arithmetic.
///
/// Costs are within 1 and [`limit`](Algorithm::limit): stores see to that.
pub trait Algorithm: Clone + Send + Sync + 'static {
    /// What is remembered of one key.
    type State: Clone + Send;

    /// What is known of those who wait for a key.
    type Plan: Plan<Self>;

    /// Whether windows are aligned to Unix time.
    const IS_ALIGNED: bool = false;

    /// The largest cost that can ever be admitted.
    fn limit(&self) -> u32;

    /// The window, or the time from an empty bucket to a full one.
    fn window(&self) -> Ticks;

    /// The state of a key that was never seen.
    fn fresh(&self) -> Self::State;

    /// Decide, and spend `cost` if it fits.
    fn admit(&self, state: &mut Self::State, now: Ticks, cost: u32) -> bool;

    /// How long until `cost` fits if nobody spends: 0 when it does now. One tick less does not.
    fn wait(&self, state: &Self::State, now: Ticks, cost: u32) -> Ticks;

    /// The largest cost that fits now.
    fn remaining(&self, state: &Self::State, now: Ticks) -> u32;

    /// How long until the whole quota is back. At 0 the state cannot be told from a fresh one.
    fn reset_after(&self, state: &Self::State, now: Ticks) -> Ticks;

    /// Give units back: the oldest live ones, never more than were spent.
    fn refund(&self, state: &mut Self::State, now: Ticks, units: u32);

    /// Take over a state that was kept under the quota `old`.
    fn adopt(&self, old: &Self, state: &mut Self::State, now: Ticks);

    /// This quota, continued from `old`, which it replaces at `now`.
    #[must_use]
    fn succeeding(self, _old: &Self, _now: Ticks) -> Self {
        self
    }

    /// This quota, its windows aligned to a Unix time that is `offset` ahead of the time it is
    /// given.
    #[must_use]
    fn aligned(self, _offset: i64) -> Self {
        self
    }
}
