//! The exact sliding window: every unit's time is remembered while it counts.

mod log;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use log::SlidingLog;

use super::under::limit_of;
use super::{Algorithm, Spend};
use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::Quota;
use log::{NEVER, State};
use plan::LogPlan;

impl Algorithm for SlidingLog {
    type State = State;
    type Plan = LogPlan;

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
        self.prune(state, now);
        let room = (2 * self.limit as usize).saturating_sub(self.len(state));
        let cost = cost.min(u32::try_from(room).unwrap_or(u32::MAX));
        if cost > 0 {
            self.push(state, now, cost);
        }
        cost
    }

    #[expect(clippy::inline_always, reason = "measured: 3 ns of 44 in a batch")]
    #[inline(always)]
    fn admit(&self, state: &mut State, now: Ticks, cost: u32) -> bool {
        self.prune(state, now);
        if self.len(state) + cost as usize > self.limit as usize {
            return false;
        }
        self.push(state, now, cost);
        true
    }

    fn wait(&self, state: &State, now: Ticks, cost: u32) -> Option<Ticks> {
        let dead = self.dead(state, now);
        let live = self.len(state) - dead;
        let excess = (live + cost as usize).saturating_sub(self.limit as usize);
        Some(match excess {
            0 => 0,
            _ => self.at(state, dead + excess - 1) + self.window - now,
        })
    }

    fn remaining(&self, state: &State, now: Ticks) -> u32 {
        let used = self.len(state) - self.dead(state, now);
        self.limit
            .saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
    }

    fn reset_after(&self, state: &State, now: Ticks) -> Ticks {
        if state.is_empty() {
            return 0;
        }
        (state.newest + self.window).saturating_sub(now)
    }

    fn refund(&self, state: &mut State, now: Ticks, units: u32) {
        self.prune(state, now);
        self.drop_oldest(state, units as usize);
    }

    fn give_back(&self, state: &mut State, now: Ticks, spend: Spend, units: u32) {
        self.prune(state, now);
        let first = self.first_from(state, spend.at);
        let behind = self.first_from(state, spend.at + 1);
        self.drop_from(state, first, (behind - first).min(units as usize));
    }

    fn first_free_at(&self, state: &State, now: Ticks) -> Option<Ticks> {
        let dead = self.dead(state, now);
        (dead < self.len(state)).then(|| self.at(state, dead) + self.window)
    }

    fn under(&self, quota: &Quota) -> Result<Self> {
        let limit = limit_of(quota, "sliding_log", (self.limit, self.window), None)?;
        Ok(Self { limit, ..*self })
    }

    fn adopt(&self, old: &Self, state: &mut State, now: Ticks) {
        old.prune(state, now);
        if self.is_wide() == old.is_wide() {
            return self.prune(state, now);
        }
        let live = |time: &Ticks| time + self.window > now;
        let units = (0..old.len(state)).map(|index| old.at(state, index));
        let mut kept: Vec<Ticks> = units.filter(live).collect();
        state.newest = kept.pop().unwrap_or(NEVER);
        state.older = VecDeque::new();
        for time in kept {
            self.push_older(state, time);
        }
    }
}
