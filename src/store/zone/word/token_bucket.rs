//! The bucket as one time: when it will be full, in ticks, 54 bits of them whole and 56 behind the
//! point.
//!
//! A token is the time in which it refills, rounded up: never early, and a tick late after 2^56
//! tokens that found it not full. The time means the same under any quota, so processes that know
//! different ones may share it: what was spent counts for the time that it took to refill then. So a
//! receipt holds what a token took, and not which quota it was: whoever gives units back by it need
//! not know the quota of their key.

use super::kind::Kind;
use super::{Marked, Word, another, field};
use crate::algorithm::{Algorithm, AnyAlgorithm, Spend, StatePlan, TokenBucket};
use crate::clock::{LONGEST_SPAN, Ticks};
use crate::error::Result;
use crate::quota::Quota;

const POINT: u32 = 56;

/// A receipt's 128 bits: a token's time in this many digits, and by how many it is shifted; and the
/// ticks until the bucket is full, of which there are no more than twice a longest span.
const DIGITS: u32 = 71;
const SHIFT: u32 = 6;
const UNTIL_FULL: u32 = 51;
/// In place of these: it was full before, so that they are what the spend took.
const WAS_FULL: Ticks = (1 << UNTIL_FULL) - 1;
const _: () = assert!(DIGITS + SHIFT + UNTIL_FULL == 128 && 2 * LONGEST_SPAN < WAS_FULL);

/// A token bucket whose state is a time.
#[derive(Debug, Clone)]
pub(in crate::store::zone) struct BucketWord {
    capacity: u32,
    /// The time in which a token refills.
    token: u128,
    /// The time in which an empty bucket does.
    full: u128,
    /// The time of a token, as receipts have it.
    noted: u128,
}

/// When the bucket is full.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store::zone) struct State(u128);

fn fixed(now: Ticks) -> u128 {
    u128::from(now) << POINT
}

/// In ticks, rounded up.
fn ticks(span: u128) -> Ticks {
    ((span + (1 << POINT) - 1) >> POINT) as Ticks
}

pub(super) fn is_full(payload: u128, now: Ticks) -> bool {
    payload <= fixed(now)
}

/// How many of a token's digits a receipt leaves out, which are zeros.
fn shift_of(token: u128) -> u32 {
    (u128::BITS - token.leading_zeros()).saturating_sub(DIGITS)
}

impl BucketWord {
    /// The same bucket, but full whenever it begins.
    #[must_use]
    pub(in crate::store::zone) fn new(bucket: &TokenBucket) -> Self {
        let (_, token, tick) = bucket.grains_of();
        let token = (u128::from(token) << POINT).div_ceil(tick.into());
        // Late by one part in 2^70, so that a receipt holds it as it is.
        let shift = shift_of(token);
        Self::of_tokens(bucket.limit(), token.div_ceil(1 << shift) << shift)
    }

    fn of_tokens(capacity: u32, token: u128) -> Self {
        Self {
            capacity,
            token,
            full: token.saturating_mul(capacity.into()),
            noted: token >> shift_of(token) << SHIFT | u128::from(shift_of(token)),
        }
    }

    /// A bucket whose tokens take as long as a receipt says.
    fn of_receipt(mark: u128) -> Self {
        let noted = mark >> UNTIL_FULL;
        let token = noted >> SHIFT << (noted & ((1 << SHIFT) - 1));
        Self::of_tokens(1, token)
    }

    /// When a bucket of this price was to be full after a spend, as its receipt says: never later, and
    /// a tick earlier at most. To the last digit where it was full before, and where it is to be full in
    /// that very tick still: then nobody has spent since, if a token takes more than a tick.
    fn full_at(&self, state: &State, (spend, cost): Marked, quota: &Self) -> u128 {
        let until_full = field(spend.mark, 0, UNTIL_FULL);
        if until_full == WAS_FULL {
            return fixed(spend.at) + self.price(cost);
        }
        let tick = fixed(spend.at + until_full);
        let is_in_it = state.0 >> POINT == tick >> POINT;
        if is_in_it && !self.is_quick() && !quota.is_quick() {
            state.0
        } else {
            tick
        }
    }

    /// Whether a token takes less than a tick.
    pub(super) fn is_quick(&self) -> bool {
        self.token >> POINT == 0
    }

    /// The same bucket, wrong about a token.
    #[cfg(test)]
    pub(super) fn mispriced(self, by: i128) -> Self {
        let token = self.token.saturating_add_signed(by).max(1);
        Self::of_tokens(self.capacity, token)
    }

    #[inline]
    fn price(&self, tokens: u32) -> u128 {
        if tokens == 1 {
            return self.token; // mostly, and without a multiplication
        }
        self.token.saturating_mul(u128::from(tokens))
    }
}

impl Algorithm for BucketWord {
    type State = State;
    type Plan = StatePlan<Self>;

    const MARKS_WHAT_IS_MISSING: bool = true;

    fn limit(&self) -> u32 {
        self.capacity
    }

    fn window(&self) -> Ticks {
        ticks(self.full)
    }

    fn fresh(&self) -> State {
        State::default()
    }

    #[inline]
    fn fits(&self, state: &State, now: Ticks, cost: u32) -> bool {
        state.0.saturating_sub(fixed(now)) + self.price(cost) <= self.full
    }

    fn spend(&self, state: &mut State, now: Ticks, cost: u32) -> u32 {
        let before = state.0.max(fixed(now));
        let most = fixed(now) + 2 * self.full;
        state.0 = before
            .saturating_add(self.price(cost))
            .min(most.max(before));
        ((state.0 - before) / self.token) as u32
    }

    #[inline]
    fn admit(&self, state: &mut State, now: Ticks, cost: u32) -> bool {
        let fits = self.fits(state, now, cost);
        if fits {
            state.0 = state.0.max(fixed(now)) + self.price(cost);
        }
        fits
    }

    fn wait(&self, state: &State, now: Ticks, cost: u32) -> Option<Ticks> {
        let after = state.0.saturating_sub(fixed(now)) + self.price(cost);
        Some(ticks(after.saturating_sub(self.full)))
    }

    fn remaining(&self, state: &State, now: Ticks) -> u32 {
        let missing = state.0.saturating_sub(fixed(now));
        (self.full.saturating_sub(missing) / self.token) as u32
    }

    fn reset_after(&self, state: &State, now: Ticks) -> Ticks {
        ticks(state.0.saturating_sub(fixed(now)))
    }

    fn mark(&self, state: &State, now: Ticks) -> u128 {
        state.0.saturating_sub(fixed(now))
    }

    /// No more than what is still missing for this spend's sake: had nobody spent since, the bucket
    /// would be full at the time that the mark tells.
    fn give_back(&self, state: &mut State, now: Ticks, spend: Spend, units: u32) {
        let missing = (fixed(spend.at) + spend.mark).saturating_sub(fixed(now));
        state.0 = state.0.saturating_sub(self.price(units).min(missing));
    }

    fn refund(&self, state: &mut State, _now: Ticks, units: u32) {
        state.0 = state.0.saturating_sub(self.price(units));
    }

    fn under(&self, quota: &Quota) -> Result<Self> {
        quota.bucket().map(|bucket| Self::new(&bucket)) // of any rate: a bucket has no window
    }

    fn adopt(&self, _old: &Self, _state: &mut State, _now: Ticks) {}
}

impl Word for BucketWord {
    fn kind(&self) -> Kind {
        Kind::TokenBucket
    }

    /// A rate is an amount.
    fn registered_window(&self) -> Ticks {
        0
    }

    fn of(quota: &AnyAlgorithm, _bits: Option<u8>) -> Result<Self> {
        match quota {
            AnyAlgorithm::TokenBucket(this) => Ok(Self::new(this)),
            _ => Err(another(quota)),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.capacity, self.token) == (other.capacity, other.token)
    }

    /// What a token takes, and when the bucket is to be full.
    #[inline]
    fn mark_in_word(&self, state: &State, now: Ticks, cost: u32) -> u128 {
        let missing = self.mark(state, now);
        let until_full = if missing == self.price(cost) {
            WAS_FULL.into()
        } else {
            (missing >> POINT).min(u128::from(WAS_FULL) - 1)
        };
        self.noted << UNTIL_FULL | until_full
    }

    /// By the price that the receipt tells, whatever this quota's is.
    fn give_back_marked(&self, state: &mut State, now: Ticks, marked: Marked, units: u32) {
        let (spend, _) = marked;
        let then = Self::of_receipt(spend.mark);
        let mark = then.full_at(state, marked, self) - fixed(spend.at);
        then.give_back(state, now, Spend { mark, ..spend }, units);
    }

    fn pack(&self, state: &State) -> u128 {
        state.0
    }

    fn unpack(&self, payload: u128, _now: Ticks) -> State {
        State(payload)
    }

    /// A time means the same whenever it is read.
    fn is_ahead(&self, _payload: u128, _now: Ticks) -> bool {
        false
    }
}
