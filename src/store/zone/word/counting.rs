//! Segments and permits as an algorithm, and as a word of a zone.

use super::counters::{COUNTERS, Counters, State};
use super::kind::Kind;
use super::{Word, another, field, near, seems_ahead};
use super::{permits, segmented_window};
use crate::algorithm::{Algorithm, AnyAlgorithm, Permits, SegmentedWindow, Spend, StatePlan};
use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::Quota;

/// Bits of the newest part's number.
const NUMBER: u32 = 30;

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
        Some(self.seen(state, now, Some(cost)).0)
    }

    fn remaining(&self, state: &State, now: Ticks) -> u32 {
        self.limit.saturating_sub(self.used(state, now))
    }

    fn reset_after(&self, state: &State, now: Ticks) -> Ticks {
        self.seen(state, now, None).2
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
        let (limit, window) = (self.limit, self.window);
        let own = match self.kind {
            Kind::Permits => AnyAlgorithm::Permits(Permits {
                limit,
                lease: window,
            }),
            _ => AnyAlgorithm::SegmentedWindow(SegmentedWindow::new(limit, window)),
        };
        Self::of(&own.under(quota)?, Some(self.bits))
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

    #[inline]
    fn tell(&self, state: &State, now: Ticks, cost: Option<u32>) -> (Option<Ticks>, u32, Ticks) {
        let (wait, used, reset_after) = self.seen(state, now, cost);
        (Some(wait), self.limit.saturating_sub(used), reset_after)
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
        match near(cut, NUMBER, self.part_of(now), self.part) {
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
        let part = self.move_units(state, now, mark as u64, units)?;
        Some(part.into())
    }
}
