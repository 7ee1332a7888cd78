//! Two aligned counters that approximate a sliding window.

use super::plan::StatePlan;
use super::under::limit_of;
use super::{Algorithm, Spend};
use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::Quota;

/// Admits `c` while `previous · (w - f) + current · w + c · w ≤ limit · w`, `f` into the window.
///
/// An approximation by construction: up to `2 · limit - 1` pass in one span of a window.
#[derive(Debug, Clone)]
pub struct SlidingCounter {
    /// Units per window, at least 1.
    pub limit: u32,
    /// The window's length, at least 1.
    pub window: Ticks,
}

/// The counts of the window that ends at `end` and of the one before it.
#[derive(Debug, Clone, Copy, Default)]
pub struct State {
    end: Ticks,
    current: u32,
    previous: u32,
}

#[cfg(all(feature = "zone", target_os = "linux"))]
impl State {
    /// The window's end, the count of the one before it, and its own.
    #[inline]
    pub(crate) fn parts(&self) -> (Ticks, u32, u32) {
        (self.end, self.previous, self.current)
    }
}

impl SlidingCounter {
    /// A state of these [`State::parts`].
    #[cfg(all(feature = "zone", target_os = "linux"))]
    #[inline]
    pub(crate) fn state_of(end: Ticks, previous: u32, current: u32) -> State {
        State {
            end,
            current,
            previous,
        }
    }

    #[inline]
    fn rolled(&self, state: State, now: Ticks) -> State {
        if now < state.end {
            return state;
        }
        let adjacent = now - state.end < self.window;
        State {
            end: (now / self.window + 1) * self.window,
            current: 0,
            previous: if adjacent { state.current } else { 0 },
        }
    }

    /// Weighted use, in units times ticks.
    #[inline]
    fn weight(&self, state: State, now: Ticks) -> u128 {
        let left = state.end - now;
        u128::from(state.previous) * u128::from(left) + u128::from(state.current) * self.width()
    }

    fn width(&self) -> u128 {
        u128::from(self.window)
    }

    /// Ticks from a window's start until `count`, made in the window before, leaves `room` units.
    fn fades_to(&self, count: u32, room: u32) -> Ticks {
        let left = u128::from(room) * self.width() / u128::from(count.max(1));
        self.window - Ticks::try_from(left).unwrap_or(Ticks::MAX).min(self.window)
    }
}

impl Algorithm for SlidingCounter {
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
        *state = self.rolled(*state, now);
        let most = self.limit.saturating_mul(2).max(state.current);
        let counted = cost.min(most - state.current);
        state.current += counted;
        counted
    }

    #[inline]
    fn admit(&self, state: &mut State, now: Ticks, cost: u32) -> bool {
        *state = self.rolled(*state, now);
        let room = u128::from(self.limit) * self.width();
        let fits = self.weight(*state, now) + u128::from(cost) * self.width() <= room;
        if fits {
            state.current += cost;
        }
        fits
    }

    fn wait(&self, state: &State, now: Ticks, cost: u32) -> Option<Ticks> {
        let state = self.rolled(*state, now);
        if cost <= self.remaining(&state, now) {
            return Some(0);
        }
        let room = self.limit - cost;
        let admitted_at = if state.current <= room {
            // In this window, once enough of the one before has slid out.
            state.end - self.window + self.fades_to(state.previous, room - state.current)
        } else {
            state.end + self.fades_to(state.current, room)
        };
        Some(admitted_at - now)
    }

    fn remaining(&self, state: &State, now: Ticks) -> u32 {
        let used = self
            .weight(self.rolled(*state, now), now)
            .div_ceil(self.width());
        self.limit
            .saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
    }

    fn reset_after(&self, state: &State, now: Ticks) -> Ticks {
        let state = self.rolled(*state, now);
        match (state.current, state.previous) {
            (0, 0) => 0,
            (0, _) => state.end - now,
            _ => state.end + self.window - now,
        }
    }

    fn keeps_receipts(&self, old: &Self) -> bool {
        self.window == old.window
    }

    fn give_back(&self, state: &mut State, now: Ticks, spend: Spend, units: u32) {
        *state = self.rolled(*state, now);
        let start = state.end - self.window;
        if spend.at >= start {
            state.current = state.current.saturating_sub(units);
        } else if spend.at + self.window >= start {
            state.previous = state.previous.saturating_sub(units);
        }
    }

    fn refund(&self, state: &mut State, now: Ticks, units: u32) {
        *state = self.rolled(*state, now);
        let older = units.min(state.previous);
        state.previous -= older;
        state.current = state.current.saturating_sub(units - older);
    }

    fn under(&self, quota: &Quota) -> Result<Self> {
        let limit = limit_of(quota, "sliding_counter", (self.limit, self.window), None)?;
        Ok(Self { limit, ..*self })
    }

    fn adopt(&self, old: &Self, state: &mut State, now: Ticks) {
        *state = old.rolled(*state, now);
        state.end = (now / self.window + 1) * self.window;
    }
}
