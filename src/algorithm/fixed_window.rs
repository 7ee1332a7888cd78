//! A counter per aligned window.

use std::sync::Arc;

use super::plan::StatePlan;
use super::under::limit_of;
use super::{Algorithm, Spend};
use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::{Calendar, Quota};

/// At most `limit` units in each window aligned to Unix time, or in each period of a calendar.
///
/// When the wall clock has stepped, the window that is running is the one in which the new time
/// lies, and what was spent in it goes on to count there. Its end may so come early: in a span as
/// long as a window one limit more may be admitted for each step than the two of neighbouring
/// windows, and no more than that.
#[derive(Debug, Clone)]
pub struct FixedWindow {
    /// Units per window, at least 1.
    pub limit: u32,
    /// The window's length, at least 1: of a calendar's periods, the longest one's.
    pub window: Ticks,
    calendar: Option<Arc<Calendar>>,
    /// What to add to the time for Unix time.
    offset: i64,
}

/// The window that was last spent in.
#[derive(Debug, Clone, Default)]
pub struct State {
    end: Ticks,
    used: u32,
    /// The time at which the window's first unit was counted, cut short.
    since: u32,
}

impl FixedWindow {
    /// A quota whose time is Unix time.
    #[must_use]
    pub fn new(limit: u32, window: Ticks) -> Self {
        Self {
            limit,
            window,
            calendar: None,
            offset: 0,
        }
    }

    /// A quota for each period of a calendar.
    #[must_use]
    pub fn of_calendar(limit: u32, calendar: Calendar) -> Self {
        Self {
            limit,
            window: calendar.longest(),
            calendar: Some(Arc::new(calendar)),
            offset: 0,
        }
    }

    /// The same windows, with another limit.
    #[must_use]
    pub(super) fn with_limit(self, limit: u32) -> Self {
        Self { limit, ..self }
    }

    /// The calendar whose periods the windows are, if they are.
    #[must_use]
    pub fn calendar(&self) -> Option<&Calendar> {
        self.calendar.as_deref()
    }

    /// Whether a window ends then.
    #[cfg(all(feature = "zone", target_os = "linux"))]
    #[inline]
    pub(crate) fn ends_at(&self, end: Ticks) -> bool {
        end.saturating_add_signed(self.offset)
            .is_multiple_of(self.window)
    }

    /// A state of these [`State::parts`].
    #[cfg(all(feature = "zone", target_os = "linux"))]
    #[inline]
    pub(crate) fn state_of(end: Ticks, used: u32, since: u32) -> State {
        State { end, used, since }
    }

    fn end_of_window(&self, now: Ticks) -> Ticks {
        let unix = now.saturating_add_signed(self.offset);
        match &self.calendar {
            None => now + self.window - unix % self.window,
            Some(calendar) => now + (calendar.around(unix).1 - unix),
        }
    }

    /// The start of the window that ends when the state's does.
    fn start(&self, state: &State) -> Ticks {
        let last = state
            .end
            .saturating_sub(1)
            .saturating_add_signed(self.offset);
        let into = match &self.calendar {
            None => self.window - 1,
            Some(calendar) => last - calendar.around(last).0,
        };
        state.end.saturating_sub(1 + into)
    }

    #[inline]
    fn roll(&self, state: &mut State, now: Ticks) {
        if now >= state.end {
            state.end = self.end_of_window(now);
            state.used = 0;
            state.since = now as u32;
        }
    }
}

impl State {
    /// The window's end, its count and its mark.
    #[cfg(all(feature = "zone", target_os = "linux"))]
    #[inline]
    pub(crate) fn parts(&self) -> (Ticks, u32, u32) {
        (self.end, self.used, self.since)
    }

    fn used(&self, now: Ticks) -> u32 {
        if now < self.end { self.used } else { 0 }
    }
}

impl Algorithm for FixedWindow {
    type State = State;
    type Plan = StatePlan<Self>;

    const IS_ALIGNED: bool = true;

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
        self.roll(state, now);
        let most = self.limit.saturating_mul(2).max(state.used);
        let counted = cost.min(most - state.used);
        state.used += counted;
        counted
    }

    #[inline]
    fn admit(&self, state: &mut State, now: Ticks, cost: u32) -> bool {
        self.roll(state, now);
        let fits = cost <= self.limit.saturating_sub(state.used);
        if fits {
            state.used += cost;
        }
        fits
    }

    fn wait(&self, state: &State, now: Ticks, cost: u32) -> Option<Ticks> {
        Some(if cost <= self.remaining(state, now) {
            0
        } else {
            state.end - now
        })
    }

    fn remaining(&self, state: &State, now: Ticks) -> u32 {
        self.limit.saturating_sub(state.used(now))
    }

    fn reset_after(&self, state: &State, now: Ticks) -> Ticks {
        if state.used(now) == 0 {
            0
        } else {
            state.end - now
        }
    }

    fn mark(&self, state: &State, _now: Ticks) -> u128 {
        state.since.into()
    }

    fn give_back(&self, state: &mut State, now: Ticks, spend: Spend, units: u32) {
        let is_counted = self.mark(state, now) == spend.mark && spend.at >= self.start(state);
        if is_counted {
            self.refund(state, now, units);
        }
    }

    fn refund(&self, state: &mut State, now: Ticks, units: u32) {
        state.used = state.used(now).saturating_sub(units);
    }

    fn under(&self, quota: &Quota) -> Result<Self> {
        let limit = limit_of(
            quota,
            "fixed_window",
            (self.limit, self.window),
            self.calendar(),
        )?;
        Ok(self.clone().with_limit(limit))
    }

    fn adopt(&self, _old: &Self, state: &mut State, now: Ticks) {
        state.used = state.used(now);
        state.end = self.end_of_window(now);
        if state.used == 0 {
            state.since = now as u32; // what was counted before counts no more
        }
    }

    fn aligned(self, offset: i64) -> Self {
        Self { offset, ..self }
    }
}
