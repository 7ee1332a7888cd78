//! The algorithms: pure functions of a quota, a key's state, the time and a cost.
//!
//! No lock, no clock, no I/O. What changes one state never sees time go back.

mod any;
mod fixed_window;
mod of_quota;
mod permits;
mod plan;
mod segmented_window;
mod sliding_counter;
mod sliding_log;
mod token_bucket;
mod under;

#[cfg(test)]
pub(crate) mod properties;

pub use any::AnyAlgorithm;
pub use fixed_window::FixedWindow;
pub use permits::{Permits, State as PermitState};
pub use plan::{Plan, StatePlan};
pub use segmented_window::SegmentedWindow;
pub use sliding_counter::SlidingCounter;
pub use sliding_log::SlidingLog;
pub use token_bucket::TokenBucket;

use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::Quota;

/// What a look at a state tells of a cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it fits now.
    pub fits: bool,
    /// How long until it does if nobody spends: 0 when it does now, and one tick less does not.
    /// `None`: time alone frees nothing.
    pub wait: Option<Ticks>,
    /// The largest cost that fits now.
    pub left: u32,
}

/// A spend, as a refund by receipt knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spend {
    /// When it was.
    pub at: Ticks,
    /// [`Algorithm::mark`] right after it; of what is missing, less what came back since.
    pub mark: u128,
}

/// A quota with its arithmetic.
///
/// Costs are within 1 and [`limit`](Algorithm::limit), but for what is spent unasked: stores see
/// to that.
pub trait Algorithm: Clone + Send + Sync + 'static {
    /// What is remembered of one key.
    type State: Clone + Send;

    /// What is known of those who wait for a key.
    type Plan: Plan<Self>;

    /// Whether windows are aligned to Unix time.
    const IS_ALIGNED: bool = false;

    /// Whether what is spent is held in this process until it is given back. A forked child holds
    /// nothing.
    const IS_HELD: bool = false;

    /// Whether a mark is what is missing from the whole quota. What comes back later, of whichever
    /// spend, takes from it.
    const MARKS_WHAT_IS_MISSING: bool = false;

    /// Whether what a state tells depends on the quota that it was kept under, beyond the window: it
    /// is carried over by [`Algorithm::adopt`] when its key gets another quota.
    const IS_KEPT_BY_QUOTA: bool = false;

    /// The largest cost that can ever be admitted.
    fn limit(&self) -> u32;

    /// The window, or the time from an empty bucket to a full one.
    fn window(&self) -> Ticks;

    /// The state of a key that was never seen.
    fn fresh(&self) -> Self::State;

    /// Whether `cost` fits, and what is left. Changes nothing.
    fn look(&self, state: &Self::State, now: Ticks, cost: u32) -> Verdict {
        Verdict {
            fits: self.fits(state, now, cost),
            wait: self.wait(state, now, cost),
            left: self.remaining(state, now),
        }
    }

    /// [`Verdict::fits`].
    fn fits(&self, state: &Self::State, now: Ticks, cost: u32) -> bool {
        self.wait(state, now, cost) == Some(0)
    }

    /// Spend `cost` whether it fits or not.
    ///
    /// What goes beyond the limit is a debt, of one whole quota at most: what would go beyond
    /// that is not counted. Says how many whole units are.
    fn spend(&self, state: &mut Self::State, now: Ticks, cost: u32) -> u32;

    /// Decide, and spend `cost` if it fits: `look` and `spend` in one, and faster.
    fn admit(&self, state: &mut Self::State, now: Ticks, cost: u32) -> bool {
        let fits = self.fits(state, now, cost);
        if fits {
            self.spend(state, now, cost);
        }
        fits
    }

    /// [`Verdict::wait`].
    fn wait(&self, state: &Self::State, now: Ticks, cost: u32) -> Option<Ticks>;

    /// [`Verdict::left`].
    fn remaining(&self, state: &Self::State, now: Ticks) -> u32;

    /// How long until the whole quota is back. At 0 the state cannot be told from a fresh one.
    fn reset_after(&self, state: &Self::State, now: Ticks) -> Ticks;

    /// Whether what was spent at that time may still count, if it was not given back.
    fn counts(&self, _state: &Self::State, _spent_at: Ticks) -> bool {
        true
    }

    /// What a receipt has to know of this state, besides the time: see [`Algorithm::give_back`].
    fn mark(&self, _state: &Self::State, _now: Ticks) -> u128 {
        0
    }

    /// Marks of one kind count alike; those of another say nothing of a state under this quota.
    fn kind_of_marks(&self) -> u32 {
        0
    }

    /// How long a mark tells anything, if nobody spends.
    fn mark_lasts(&self, _mark: u128) -> Ticks {
        0
    }

    /// Give units of one spend back: those very units, if they still count, and no others. The
    /// quota is the one that they were spent under.
    fn give_back(&self, state: &mut Self::State, now: Ticks, spend: Spend, units: u32) {
        if self.counts(state, spend.at) {
            self.refund(state, now, units);
        }
    }

    /// Give units back: the oldest live ones, never more than were spent.
    fn refund(&self, state: &mut Self::State, now: Ticks, units: u32);

    /// When the first unit that counts is back, if there is one.
    fn first_free_at(&self, state: &Self::State, now: Ticks) -> Option<Ticks> {
        let wait = self.reset_after(state, now);
        (wait > 0).then(|| now.saturating_add(wait))
    }

    /// This algorithm by another quota of the same window, for a key that has its own.
    ///
    /// # Errors
    /// When the quota is of another window, or of what another algorithm holds.
    fn under(&self, quota: &Quota) -> Result<Self>;

    /// Take over a state that was kept under the quota `old`.
    fn adopt(&self, old: &Self, state: &mut Self::State, now: Ticks);

    /// Whether receipts of states that were kept under `old` still tell what counts under this quota.
    fn keeps_receipts(&self, _old: &Self) -> bool {
        true
    }

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
