//! Counters of consecutive parts of time in one word: of segments, and of permits.

use super::super::registry::Kind;
use super::{MOST_AHEAD, Word, another, field, near, seems_ahead};
use super::{permits, segmented_window};
use crate::algorithm::{Algorithm, AnyAlgorithm, Spend, StatePlan};
use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::Quota;

/// Bits of the newest part's number.
const NUMBER: u32 = 30;
/// Bits of all counters.
pub(super) const COUNTERS: u32 = 80;

/// At most `limit` units of parts that count. A unit is remembered by its part alone, and counts until
/// the part as a whole is over.
#[derive(Debug, Clone)]
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
    newest: u64,
    /// The newest part's in the lowest bits.
    counts: u128,
}

impl Counters {
    fn shift(&self, back: u8) -> u32 {
        u32::from(back) * u32::from(self.bits)
    }

    /// The most that a counter holds.
    pub(super) fn most(&self) -> u32 {
        u32::MAX >> (32 - u32::from(self.bits).min(32))
    }

    fn units(&self, state: &State, back: u8) -> u32 {
        (state.counts >> self.shift(back)) as u32 & self.most()
    }

    fn set(&self, state: &mut State, back: u8, units: u32) {
        let cleared = state.counts & !(u128::from(self.most()) << self.shift(back));
        state.counts = cleared | u128::from(units) << self.shift(back);
    }

    /// The part in which a unit that is spent now counts, unless a newer one is in use.
    pub(super) fn part_of(&self, now: Ticks) -> u64 {
        now.saturating_add(self.ahead) / self.part
    }

    /// When the units of a part no longer count; it lies so many parts before the newest.
    fn free_at(&self, state: &State, back: u8) -> Ticks {
        (state.newest - u64::from(back))
            .saturating_mul(self.part)
            .saturating_add(self.lasts)
    }

    /// How many parts may count: the newest and those before it.
    fn live(&self, state: &State, now: Ticks) -> u8 {
        if state.counts == 0 {
            return 0;
        }
        let mut live = 0;
        while live < self.counters
            && u64::from(live) <= state.newest
            && now < self.free_at(state, live)
        {
            live += 1;
        }
        live
    }

    /// The parts that count, the oldest first, and their units.
    fn in_use<'a>(&'a self, state: &'a State, now: Ticks) -> impl Iterator<Item = (u8, u32)> + 'a {
        let backs = (0..self.live(state, now)).rev();
        let parts = backs.map(|back| (back, self.units(state, back)));
        parts.filter(|(_, units)| *units > 0)
    }

    /// The units that count.
    pub(in crate::store::zone) fn used(&self, state: &State, now: Ticks) -> u32 {
        self.in_use(state, now).map(|(_, units)| units).sum()
    }

    /// Make the part of `now` the newest, if it is.
    fn move_on(&self, state: &mut State, now: Ticks) {
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

    /// Move units that count from a part to the one of now, whatever the limit. `None`: not so many
    /// count there; nothing may be kept of the state then.
    pub(in crate::store::zone) fn move_units(
        &self,
        state: &mut State,
        now: Ticks,
        part: u64,
        units: u32,
    ) -> Option<u64> {
        if self.take_out(state, now, part, units) < units {
            return None;
        }
        self.move_on(state, now);
        let there = self.units(state, 0);
        if units > self.most() - there {
            return None;
        }
        self.set(state, 0, there + units);
        Some(state.newest)
    }

    /// When a part no longer counts.
    pub(in crate::store::zone) fn over_at(&self, part: u64) -> Ticks {
        part.saturating_mul(self.part).saturating_add(self.lasts)
    }
}

impl Algorithm for Counters {
    type State = State;
    type Plan = StatePlan<Self>;

    fn limit(&self) -> u32 {
        self.limit
    }

    fn window(&self) -> Ticks {
        self.window
    }

    fn fresh(&self) -> State {
        State::default()
    }

    fn spend(&self, state: &mut State, now: Ticks, cost: u32) -> u32 {
        self.move_on(state, now);
        let used = self.used(state, now);
        let there = self.units(state, 0);
        let most = self.limit.saturating_mul(2).max(used) - used;
        let units = cost.min(most).min(self.most() - there);
        self.set(state, 0, there + units);
        units
    }

    #[inline]
    fn admit(&self, state: &mut State, now: Ticks, cost: u32) -> bool {
        self.move_on(state, now);
        let fits = cost <= self.remaining(state, now);
        if fits {
            // No more than the limit, which a counter holds.
            state.counts += u128::from(cost);
        }
        fits
    }

    fn wait(&self, state: &State, now: Ticks, cost: u32) -> Option<Ticks> {
        let wanted = u64::from(self.used(state, now)) + u64::from(cost);
        let mut excess = wanted.saturating_sub(self.limit.into());
        let mut free_at = now;
        for (back, units) in self.in_use(state, now) {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(units.into());
            free_at = self.free_at(state, back);
        }
        Some(free_at - now)
    }

    fn remaining(&self, state: &State, now: Ticks) -> u32 {
        self.limit.saturating_sub(self.used(state, now))
    }

    fn reset_after(&self, state: &State, now: Ticks) -> Ticks {
        let newest = self.in_use(state, now).last();
        newest.map_or(0, |(back, _)| self.free_at(state, back) - now)
    }

    /// The part in which it was counted.
    fn mark(&self, state: &State, _now: Ticks) -> u128 {
        state.newest.into()
    }

    fn give_back(&self, state: &mut State, now: Ticks, spend: Spend, units: u32) {
        self.take_out(state, now, spend.mark as u64, units);
    }

    fn refund(&self, state: &mut State, now: Ticks, mut units: u32) {
        for back in (0..self.live(state, now)).rev() {
            let there = self.units(state, back);
            let less = units.min(there);
            self.set(state, back, there - less);
            units -= less;
        }
    }

    fn first_free_at(&self, state: &State, now: Ticks) -> Option<Ticks> {
        let oldest = self.in_use(state, now).next();
        oldest.map(|(back, _)| self.free_at(state, back))
    }

    fn under(&self, quota: &Quota) -> Result<Self> {
        match self.kind {
            Kind::Permits => permits::under(self, quota),
            _ => segmented_window::under(self, quota),
        }
    }

    fn adopt(&self, _old: &Self, _state: &mut State, _now: Ticks) {}
}

impl Word for Counters {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn bits(&self) -> u8 {
        self.bits
    }

    fn parts(&self) -> u8 {
        self.counters - 1
    }

    fn of(quota: &AnyAlgorithm, bits: Option<u8>) -> Result<Self> {
        match quota {
            AnyAlgorithm::SegmentedWindow(this) => {
                segmented_window::laid_out(this.limit, this.window, bits)
            }
            AnyAlgorithm::Permits(this) => permits::of(this),
            _ => Err(another(quota)),
        }
    }

    fn pack(&self, state: &State) -> u128 {
        if state.counts == 0 {
            return 0;
        }
        let number = u128::from(state.newest) & ((1 << NUMBER) - 1);
        number << COUNTERS | state.counts
    }

    fn unpack(&self, payload: u128, now: Ticks) -> State {
        let counts = payload & ((1 << COUNTERS) - 1);
        let cut = field(payload, COUNTERS, NUMBER);
        let most_ahead = MOST_AHEAD.div_ceil(self.part);
        match near(cut, NUMBER, self.part_of(now), most_ahead) {
            Some(newest) => State { newest, counts },
            None => State::default(),
        }
    }

    fn is_ahead(&self, payload: u128, now: Ticks) -> bool {
        let cut = field(payload, COUNTERS, NUMBER);
        payload != 0 && seems_ahead(cut, NUMBER, self.part_of(now))
    }

    fn lease(&self) -> Option<Ticks> {
        (self.kind == Kind::Permits).then_some(self.window)
    }

    fn renew(&self, state: &mut State, now: Ticks, mark: u128, units: u32) -> Option<u128> {
        let taken = self.take_out(state, now, mark as u64, units);
        if taken == 0 {
            return None;
        }
        self.move_on(state, now);
        let there = self.units(state, 0);
        self.set(state, 0, there + taken.min(self.most() - there));
        Some(state.newest.into())
    }
}
