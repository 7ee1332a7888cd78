//! The window in parts: never more than the limit in any window, in constant memory.

mod older;
#[cfg(test)]
mod tests;

use super::plan::StatePlan;
use super::under::limit_of;
use super::{Algorithm, Spend};
use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::Quota;
use older::Older;

/// At most `limit` units in any span `(t - window, t]`.
///
/// The window is cut into 60 parts, which begin at multiples of their length. A unit is remembered
/// by its part alone, and counts as if it were of the part's last tick: as long as any of the part
/// is in the window. So it is back at most one part late, and never early. Parts of one tick are
/// exact.
#[derive(Debug, Clone)]
pub struct SegmentedWindow {
    /// Units per window, at least 1.
    pub limit: u32,
    /// The window's length, at least 1.
    pub window: Ticks,
    /// A part's length.
    part: Ticks,
}

/// The units of each part that is in use.
#[derive(Debug, Clone)]
pub struct State {
    /// The first tick after the newest part; 0 if none is in use.
    end: Ticks,
    /// The newest part's units: none only if there are none at all.
    newest: u32,
    /// The units of all parts.
    sum: u32,
    older: Older,
}

impl State {
    fn empty() -> Self {
        Self {
            end: 0,
            newest: 0,
            sum: 0,
            older: Older::default(),
        }
    }
}

impl SegmentedWindow {
    /// Parts of a window. One more may count, of which the window has only the end.
    pub const PARTS: Ticks = 60;

    /// A quota.
    #[must_use]
    pub fn new(limit: u32, window: Ticks) -> Self {
        Self {
            limit,
            window,
            part: window.div_ceil(Self::PARTS),
        }
    }

    /// How long a unit counts at most.
    #[must_use]
    pub fn counts_for(&self) -> Ticks {
        self.window + self.part - 1
    }

    #[cfg(test)]
    pub(super) fn part(&self) -> Ticks {
        self.part
    }

    /// When the units of a part no longer count; it lies so many parts before the newest.
    #[inline]
    fn free_at(&self, state: &State, back: u8) -> Ticks {
        state.end + self.window - 1 - Ticks::from(back) * self.part
    }

    /// Forget the parts that no longer count, and begin the part of `now` if it `begins`.
    fn move_on(&self, state: &mut State, now: Ticks, begins: bool) {
        if now >= self.free_at(state, 0) {
            *state = State::empty();
        }
        let (mut first, mut back) = (0, 0);
        for part in state.older.iter() {
            back = part.back;
            if now < self.free_at(state, back) {
                break;
            }
            state.sum -= part.units;
            (first, back) = (part.after, part.next_back);
        }
        let end = (now / self.part + 1) * self.part;
        if !begins {
            state.older.forget(first, back);
        } else if state.sum > 0 {
            let ahead = (end - state.end) / self.part;
            state.older.append(first, back, state.newest, ahead as u8);
        }
        if begins {
            (state.end, state.newest) = (end, 0);
        }
    }

    /// Forget the parts that no longer count.
    #[inline]
    fn expire(&self, state: &mut State, now: Ticks) {
        if now >= self.free_at(state, state.older.back()) {
            self.move_on(state, now, false);
        }
    }

    /// Count units in the part of `now`.
    #[inline]
    fn add(&self, state: &mut State, now: Ticks, units: u32) {
        if now >= state.end {
            self.move_on(state, now, true);
        }
        state.newest += units;
        state.sum += units;
    }

    /// The units that count.
    fn used(&self, state: &State, now: Ticks) -> u32 {
        if now >= self.free_at(state, 0) {
            return 0;
        }
        let dead = |part: &older::Part| now >= self.free_at(state, part.back);
        let gone = state.older.iter().take_while(dead);
        state.sum - gone.map(|part| part.units).sum::<u32>()
    }
}

impl Algorithm for SegmentedWindow {
    type State = State;
    type Plan = StatePlan<Self>;

    fn limit(&self) -> u32 {
        self.limit
    }

    fn window(&self) -> Ticks {
        self.window
    }

    fn fresh(&self) -> State {
        State::empty()
    }

    fn spend(&self, state: &mut State, now: Ticks, cost: u32) -> u32 {
        self.expire(state, now);
        let most = self.limit.saturating_mul(2).max(state.sum);
        let units = cost.min(most - state.sum);
        if units > 0 {
            self.add(state, now, units);
        }
        units
    }

    #[inline]
    fn admit(&self, state: &mut State, now: Ticks, cost: u32) -> bool {
        // What no longer counts is in the sum until someone needs its room.
        if cost > self.limit.saturating_sub(state.sum) {
            self.expire(state, now);
            if cost > self.limit.saturating_sub(state.sum) {
                return false;
            }
        }
        self.add(state, now, cost);
        true
    }

    fn wait(&self, state: &State, now: Ticks, cost: u32) -> Option<Ticks> {
        let wanted = u64::from(state.sum) + u64::from(cost);
        let Some(mut excess) = wanted.checked_sub(u64::from(self.limit) + 1) else {
            return Some(0);
        };
        let mut last = 0;
        for part in state.older.iter() {
            if excess < u64::from(part.units) {
                last = part.back;
                break;
            }
            excess -= u64::from(part.units);
        }
        // In the past, if enough no longer counts.
        Some(self.free_at(state, last).saturating_sub(now))
    }

    fn remaining(&self, state: &State, now: Ticks) -> u32 {
        self.limit.saturating_sub(self.used(state, now))
    }

    fn reset_after(&self, state: &State, now: Ticks) -> Ticks {
        if state.sum == 0 {
            return 0;
        }
        self.free_at(state, 0).saturating_sub(now)
    }

    fn keeps_receipts(&self, old: &Self) -> bool {
        self.window == old.window
    }

    fn give_back(&self, state: &mut State, now: Ticks, spend: Spend, units: u32) {
        self.expire(state, now);
        let end = (spend.at / self.part + 1) * self.part;
        let back = state.end.saturating_sub(end) / self.part;
        let older = state.older.iter().map(|part| (part.back, part.units));
        let mut parts: Vec<(u8, u32)> = older.chain([(0, state.newest)]).collect();
        let Some(part) = parts.iter_mut().find(|part| Ticks::from(part.0) == back) else {
            return;
        };
        let units = units.min(part.1);
        part.1 -= units;
        state.sum -= units;
        parts.retain(|part| part.1 > 0);
        let Some((ahead, newest)) = parts.pop() else {
            *state = State::empty();
            return;
        };
        state.end -= Ticks::from(ahead) * self.part;
        state.newest = newest;
        state.older = Older::of(parts.iter().map(|(back, units)| (back - ahead, *units)));
    }

    fn refund(&self, state: &mut State, now: Ticks, units: u32) {
        self.expire(state, now);
        if units >= state.sum {
            *state = State::empty();
            return;
        }
        state.sum -= units;
        let rest = state.older.take_oldest(units);
        state.newest -= rest;
    }

    fn first_free_at(&self, state: &State, now: Ticks) -> Option<Ticks> {
        let backs = state.older.iter().map(|part| part.back).chain([0]);
        let mut free = backs.map(|back| self.free_at(state, back));
        free.find(|&at| at > now).filter(|_| state.sum > 0)
    }

    /// What counts by the old window goes to the new parts: each unit as the latest that it may be.
    fn under(&self, quota: &Quota) -> Result<Self> {
        let limit = limit_of(quota, "segmented_window", (self.limit, self.window), None)?;
        Ok(Self::new(limit, self.window))
    }

    fn adopt(&self, old: &Self, state: &mut State, now: Ticks) {
        if old.window == self.window {
            return;
        }
        old.expire(state, now);
        let before = std::mem::replace(state, State::empty());
        let parts = before.older.iter().map(|part| (part.back, part.units));
        for (back, units) in parts.chain([(0, before.newest)]) {
            if units > 0 {
                let last = before.end - 1 - Ticks::from(back) * old.part;
                self.add(state, last.min(now), units);
            }
        }
    }
}
