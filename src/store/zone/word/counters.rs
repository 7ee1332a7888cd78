//! Counters of consecutive parts of time in one word: of segments, and of permits.

use super::kind::Kind;
use crate::clock::Ticks;

/// Bits of all counters.
pub(super) const COUNTERS: u32 = 80;

/// At most `limit` units of parts that count. A unit is remembered by its part alone, and counts until
/// the part as a whole is over.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_field_names,
    reason = "it is how many of them there are"
)]
pub struct Counters {
    pub(super) kind: Kind,
    /// Units at once, at least 1.
    pub limit: u32,
    /// The window, or the lease.
    pub(super) window: Ticks,
    /// A part's length.
    pub(super) part: Ticks,
    /// Units count in the part of a time so much ahead.
    pub(super) ahead: Ticks,
    /// A part counts for so long, from its begin on.
    pub(super) lasts: Ticks,
    /// Bits of a counter.
    pub(super) bits: u8,
    /// How many counters there are: no more parts than these count at once.
    pub(super) counters: u8,
}

/// The units of the newest part and of those before it.
#[derive(Debug, Clone, Copy, Default)]
pub struct State {
    pub(super) newest: u64,
    /// The newest part's in the lowest bits.
    pub(super) counts: u128,
}

impl Counters {
    fn shift(&self, back: u8) -> u32 {
        u32::from(back) * u32::from(self.bits)
    }

    /// The most that a counter holds.
    pub(super) fn most(&self) -> u32 {
        u32::MAX >> (32 - u32::from(self.bits).min(32))
    }

    pub(super) fn units(&self, state: &State, back: u8) -> u32 {
        (state.counts >> self.shift(back)) as u32 & self.most()
    }

    pub(super) fn set(&self, state: &mut State, back: u8, units: u32) {
        let cleared = state.counts & !(u128::from(self.most()) << self.shift(back));
        state.counts = cleared | u128::from(units) << self.shift(back);
    }

    /// The part in which a unit that is spent now counts, unless a newer one is in use.
    pub(super) fn part_of(&self, now: Ticks) -> u64 {
        now.saturating_add(self.ahead) / self.part
    }

    /// When the units of a part no longer count; it lies so many parts before the newest.
    pub(super) fn free_at(&self, state: &State, back: u8) -> Ticks {
        (state.newest - u64::from(back))
            .saturating_mul(self.part)
            .saturating_add(self.lasts)
    }

    /// How many parts may count: the newest and those before it.
    #[inline]
    pub(super) fn live(&self, state: &State, now: Ticks) -> u8 {
        if state.counts == 0 {
            return 0;
        }
        let mut live = state.newest.saturating_add(1).min(self.counters.into()) as u8;
        // From the oldest on, which mostly counts.
        while live > 0 && now >= self.free_at(state, live - 1) {
            live -= 1;
        }
        live
    }

    /// The counters of parts that count, the newest part's in the lowest bits.
    #[inline]
    fn counting(&self, state: &State, now: Ticks) -> u128 {
        state.counts & !(u128::MAX << self.shift(self.live(state, now)))
    }

    /// The parts of these counters that are in use, the oldest first, and their units.
    fn parts_of(&self, counting: u128) -> impl Iterator<Item = (u8, u32)> {
        let bits = u32::from(self.bits);
        let parts = (u128::BITS - counting.leading_zeros()).div_ceil(bits) as u8;
        let units = move |back: u8| (counting >> (u32::from(back) * bits)) as u32 & self.most();
        let parts = (0..parts).rev().map(move |back| (back, units(back)));
        parts.filter(|(_, units)| *units > 0)
    }

    fn sum_of(&self, mut counting: u128) -> u32 {
        let mut used = 0;
        while counting != 0 {
            used += counting as u32 & self.most();
            counting >>= self.bits;
        }
        used
    }

    /// The parts that count, the oldest first, and their units.
    pub(super) fn in_use(&self, state: &State, now: Ticks) -> impl Iterator<Item = (u8, u32)> {
        self.parts_of(self.counting(state, now))
    }

    /// The units that count.
    #[inline]
    pub(in crate::store::zone) fn used(&self, state: &State, now: Ticks) -> u32 {
        self.sum_of(self.counting(state, now))
    }

    /// How long until this cost fits (0 without one), what is in use, and how long until nothing is.
    #[inline]
    pub(super) fn seen(&self, state: &State, now: Ticks, cost: Option<u32>) -> (Ticks, u32, Ticks) {
        let counting = self.counting(state, now);
        let used = self.sum_of(counting);
        let wanted = u64::from(used) + u64::from(cost.unwrap_or(0));
        let mut excess = wanted.saturating_sub(self.limit.into());
        let mut free_at = now;
        if cost.is_some() {
            for (back, units) in self.parts_of(counting) {
                if excess == 0 {
                    break;
                }
                excess = excess.saturating_sub(units.into());
                free_at = self.free_at(state, back);
            }
        }
        let mut newest = 0;
        while used > 0 && (counting >> self.shift(newest)) as u32 & self.most() == 0 {
            newest += 1;
        }
        let reset_after = if used > 0 {
            self.free_at(state, newest) - now
        } else {
            0
        };
        (free_at - now, used, reset_after)
    }

    /// Make the part of `now` the newest, if it is.
    pub(super) fn move_on(&self, state: &mut State, now: Ticks) {
        let part = self.part_of(now);
        if state.counts == 0 {
            state.newest = part;
        }
        if part <= state.newest {
            return;
        }
        let by = part - state.newest;
        state.newest = part;
        state.counts = if by < u64::from(self.counters) {
            let all = u128::MAX >> (128 - u32::from(self.bits) * u32::from(self.counters));
            state.counts << self.shift(by as u8) & all
        } else {
            0
        };
    }

    /// Take units out of a part, if it counts; how many.
    pub(in crate::store::zone) fn take_out(
        &self,
        state: &mut State,
        now: Ticks,
        part: u64,
        units: u32,
    ) -> u32 {
        let back = state.newest.checked_sub(part);
        let Some(back) = back.filter(|back| *back < self.live(state, now).into()) else {
            return 0;
        };
        let there = self.units(state, back as u8);
        self.set(state, back as u8, there - units.min(there));
        units.min(there)
    }

    /// Move units that count from a part to the one of now, whatever the limit; those of them that still
    /// count there. `None`: there are none, and nothing has changed.
    pub(in crate::store::zone) fn move_units(
        &self,
        state: &mut State,
        now: Ticks,
        part: u64,
        units: u32,
    ) -> Option<u64> {
        let taken = self.take_out(state, now, part, units);
        if taken == 0 {
            return None;
        }
        self.move_on(state, now);
        let there = self.units(state, 0);
        self.set(state, 0, there + taken.min(self.most() - there));
        Some(state.newest)
    }

    /// When a part no longer counts.
    pub(in crate::store::zone) fn over_at(&self, part: u64) -> Ticks {
        part.saturating_mul(self.part).saturating_add(self.lasts)
    }
}
