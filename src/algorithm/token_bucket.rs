//! The token bucket, kept as one time: when it would be full (GCRA, ITU-T I.371).

use super::plan::StatePlan;
use super::{Algorithm, Spend};
use crate::clock::{LONGEST_SPAN, SECOND, Ticks};
use crate::error::{Error, Result};
use crate::fraction::Fraction;
use crate::quota::{Quota, grouped};

/// Bursts up to a capacity, a steady rate on average.
///
/// Time is counted in *grains* so that no rounding is needed: a tick is `grains_per_tick`
/// grains, and a token refills in `grains_per_token`. (An interval of `1 / rate` rounded
/// down to ticks admits too much: 105 of 4,000 at 7/s.)
#[derive(Debug, Clone)]
pub struct TokenBucket {
    capacity: u32,
    grains_per_tick: u64,
    grains_per_token: u64,
    /// When a bucket that was never spent from is full; 0 if it began full, whenever that was, so
    /// that all who share a state mean the same by a bucket that was never seen.
    full_at: u128,
}

/// When the bucket is full again, in grains since Unix 0.
#[derive(Debug, Clone, Copy)]
pub struct State {
    full_at: u128,
}

/// A script in Lua counts in doubles, which are exact up to the sum of two such terms; all
/// stores must decide alike.
const EXACT_IN_A_DOUBLE: u128 = 1 << 52;

impl TokenBucket {
    /// A bucket whose unseen keys hold `initial` tokens at `now` and refill from then on.
    ///
    /// The rate is read as the simplest fraction that is written the same, or, where its
    /// terms are too long for exact arithmetic, as the closest fraction below it.
    ///
    /// # Errors
    /// When an argument is out of range, or filling the bucket takes over 31 years.
    pub fn new(capacity: u32, refill_rate: f64, initial: u32, now: Ticks) -> Result<Self> {
        if !(1e-9..=1e12).contains(&refill_rate) {
            let range = "a number of tokens per second from 1e-9 to 1e12";
            return Err(Error::out_of_range("refill_rate", &refill_rate, range));
        }
        let Some(missing) = capacity.checked_sub(initial) else {
            let range = format!("an int from 0 to the capacity, {}", grouped(capacity));
            return Err(Error::out_of_range("initial_tokens", &initial, range));
        };
        let exact = Fraction::simplest(refill_rate).over(SECOND.into());
        let longest = u128::from(LONGEST_SPAN) * exact.numerator;
        if u128::from(capacity) * exact.denominator > longest {
            let range = format!(
                "large enough to fill the capacity, {}, within 1,000,000,000 seconds",
                grouped(capacity)
            );
            return Err(Error::out_of_range("refill_rate", &refill_rate, range));
        }
        let rate = exact.at_most(EXACT_IN_A_DOUBLE, EXACT_IN_A_DOUBLE / u128::from(capacity));
        let mut bucket = Self {
            capacity,
            grains_per_tick: fits(rate.numerator),
            grains_per_token: fits(rate.denominator),
            full_at: 0,
        };
        if missing > 0 {
            bucket.full_at = bucket.grains(now) + u128::from(bucket.price(missing));
        }
        Ok(bucket)
    }

    /// The share of one of so many processes, which begins full. A share that would take too long
    /// to fill is the whole bucket.
    #[must_use]
    pub(super) fn share(&self, workers: u32) -> Self {
        let whole = Self {
            full_at: 0,
            ..self.clone()
        };
        let share = Self {
            capacity: (self.capacity / workers).max(1),
            grains_per_token: self.grains_per_token.saturating_mul(workers.into()),
            ..whole
        };
        let price = u128::from(share.capacity) * u128::from(share.grains_per_token);
        let longest = u128::from(LONGEST_SPAN) * u128::from(share.grains_per_tick);
        if price <= EXACT_IN_A_DOUBLE.min(longest) {
            share
        } else {
            whole
        }
    }

    /// The capacity, the price of a token and the income of a tick, in grains.
    #[must_use]
    pub fn grains_of(&self) -> (u64, u64, u64) {
        let capacity = self.price(self.capacity);
        (capacity, self.grains_per_token, self.grains_per_tick)
    }

    #[inline]
    fn grains(&self, now: Ticks) -> u128 {
        u128::from(now) * u128::from(self.grains_per_tick)
    }

    #[inline]
    fn price(&self, tokens: u32) -> u64 {
        u64::from(tokens) * self.grains_per_token
    }

    /// What is missing from a full bucket, in grains.
    #[inline]
    fn missing(&self, full_at: u128, now: Ticks) -> u64 {
        // Never more than a full bucket, unless a sweep looks with an older time.
        u64::try_from(full_at.saturating_sub(self.grains(now))).unwrap_or(u64::MAX)
    }

    /// `full_at` of a bucket kept under `old`: the same tokens are missing (rounded up) under this quota,
    /// be they more than it holds, or a smaller quota in between would have them forgotten.
    fn converted(&self, old: &Self, full_at: u128, now: Ticks) -> u128 {
        let missing = u128::from(old.missing(full_at, now)) * u128::from(self.grains_per_token);
        let missing = missing.div_ceil(u128::from(old.grains_per_token));
        self.grains(now) + missing.min(EXACT_IN_A_DOUBLE)
    }
}

fn fits(term: u128) -> u64 {
    u64::try_from(term).unwrap_or(u64::MAX)
}

impl Algorithm for TokenBucket {
    type State = State;
    type Plan = StatePlan<Self>;

    const MARKS_WHAT_IS_MISSING: bool = true;
    const IS_KEPT_BY_QUOTA: bool = true;

    fn limit(&self) -> u32 {
        self.capacity
    }

    fn window(&self) -> Ticks {
        self.price(self.capacity).div_ceil(self.grains_per_tick)
    }

    fn fresh(&self) -> State {
        State {
            full_at: self.full_at,
        }
    }

    #[inline]
    fn fits(&self, state: &State, now: Ticks, cost: u32) -> bool {
        let missing = self.missing(state.full_at, now);
        missing.saturating_add(self.price(cost)) <= self.price(self.capacity)
    }

    fn spend(&self, state: &mut State, now: Ticks, cost: u32) -> u32 {
        let now = self.grains(now);
        let most = now + 2 * u128::from(self.price(self.capacity));
        let price = u128::from(cost) * u128::from(self.grains_per_token);
        let before = now.max(state.full_at);
        state.full_at = (before + price).min(most.max(state.full_at));
        let counted = state.full_at - before;
        if counted == price {
            return cost;
        }
        (counted / u128::from(self.grains_per_token)) as u32 // less than the cost
    }

    #[inline]
    fn admit(&self, state: &mut State, now: Ticks, cost: u32) -> bool {
        let fits = self.fits(state, now, cost);
        if fits {
            state.full_at = self.grains(now).max(state.full_at) + u128::from(self.price(cost));
        }
        fits
    }

    fn wait(&self, state: &State, now: Ticks, cost: u32) -> Option<Ticks> {
        let missing = self
            .missing(state.full_at, now)
            .saturating_add(self.price(cost));
        let short = missing.saturating_sub(self.price(self.capacity));
        Some(short.div_ceil(self.grains_per_tick))
    }

    fn remaining(&self, state: &State, now: Ticks) -> u32 {
        let level = self
            .price(self.capacity)
            .saturating_sub(self.missing(state.full_at, now));
        u32::try_from(level / self.grains_per_token).unwrap_or(u32::MAX)
    }

    fn reset_after(&self, state: &State, now: Ticks) -> Ticks {
        self.missing(state.full_at, now)
            .div_ceil(self.grains_per_tick)
    }

    fn mark(&self, state: &State, now: Ticks) -> u128 {
        self.missing(state.full_at, now).into()
    }

    fn mark_lasts(&self, mark: u128) -> Ticks {
        let ticks = mark.div_ceil(self.grains_per_tick.into());
        Ticks::try_from(ticks).unwrap_or(Ticks::MAX)
    }

    fn keeps_receipts(&self, old: &Self) -> bool {
        let rate = |bucket: &Self| (bucket.grains_per_tick, bucket.grains_per_token);
        rate(self) == rate(old)
    }

    /// Grains of another rate are worth something else. Mixed as in a Fibonacci hash.
    #[inline]
    fn kind_of_marks(&self) -> u32 {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = self.grains_per_token.wrapping_mul(GOLDEN) ^ self.grains_per_tick;
        (mixed.wrapping_mul(GOLDEN) >> 32) as u32
    }

    /// No more than what is still missing for this spend's sake: had nobody spent since, the bucket
    /// would be full at the time that the mark tells.
    fn give_back(&self, state: &mut State, now: Ticks, spend: Spend, units: u32) {
        let missing = self.missing(self.grains(spend.at) + spend.mark, now);
        let back = self.price(units).min(missing);
        state.full_at = state.full_at.saturating_sub(back.into()).max(self.full_at);
    }

    fn refund(&self, state: &mut State, _now: Ticks, units: u32) {
        let full_at = state.full_at.saturating_sub(u128::from(self.price(units)));
        state.full_at = full_at.max(self.full_at);
    }

    fn under(&self, quota: &Quota) -> Result<Self> {
        quota.bucket() // of any rate: a bucket has no window
    }

    fn adopt(&self, old: &Self, state: &mut State, now: Ticks) {
        state.full_at = self.converted(old, state.full_at, now);
    }

    fn succeeding(self, old: &Self, now: Ticks) -> Self {
        let full_at = match old.missing(old.full_at, now) {
            0 => 0,
            _ => self.converted(old, old.full_at, now),
        };
        Self { full_at, ..self }
    }
}
