//! Segments with one mistake each. Each must be told from the real thing.

use super::{PARTS, SegmentModel, bad_debt, last_of_part, segment_case};
use crate::algorithm::StatePlan;
use crate::algorithm::properties::{Algorithm, disagreement, is_killed};
use crate::clock::Ticks;
use crate::quota::Quota;

/// Segments that are wrong in one way.
#[derive(Clone)]
struct WrongSegments {
    limit: u32,
    window: Ticks,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A part goes so many ticks after it should.
    Late(i64),
    /// The part that is partly in the window is left out.
    LeavesOutPartial,
    /// What has left stays in the sum, until all has.
    KeepsSum,
    /// The wait is so many ticks too long.
    Waits(i64),
    /// Counts are 16 bits wide, and wrap.
    Wraps,
}

/// The last tick of each part with its units, and what all parts add up to.
#[derive(Debug, Clone)]
struct WrongState(Vec<(Ticks, u32)>, u32);

impl WrongSegments {
    fn part(&self) -> Ticks {
        self.window.div_ceil(PARTS)
    }

    fn free_at(&self, last: Ticks) -> Ticks {
        match self.fault {
            Fault::Late(ticks) => (last + self.window).saturating_add_signed(ticks),
            Fault::LeavesOutPartial => last + self.window + 1 - self.part(),
            _ => last + self.window,
        }
    }

    fn expired(&self, state: &WrongState, now: Ticks) -> WrongState {
        let live = |(last, _): &&(Ticks, u32)| self.free_at(*last) > now;
        let parts: Vec<_> = state.0.iter().filter(live).copied().collect();
        let sum = match self.fault {
            Fault::KeepsSum if !parts.is_empty() => state.1,
            _ => parts.iter().map(|(_, units)| units).sum(),
        };
        WrongState(parts, sum)
    }
}

impl Algorithm for WrongSegments {
    type State = WrongState;
    type Plan = StatePlan<Self>;

    fn limit(&self) -> u32 {
        self.limit
    }

    fn window(&self) -> Ticks {
        self.window
    }

    fn fresh(&self) -> WrongState {
        WrongState(Vec::new(), 0)
    }

    fn spend(&self, state: &mut WrongState, now: Ticks, cost: u32) -> u32 {
        *state = self.expired(state, now);
        let units = match self.fault {
            Fault::Wraps => u32::from((state.1 as u16).wrapping_add(cost as u16)) - state.1,
            _ => cost.min((2 * self.limit).saturating_sub(state.1)),
        };
        state.0.push((last_of_part(self.part(), now), units));
        state.1 += units;
        units
    }

    fn wait(&self, state: &WrongState, now: Ticks, cost: u32) -> Option<Ticks> {
        let mut state = self.expired(state, now);
        let mut wait = 0;
        while cost + state.1 > self.limit {
            let next = state.0.first().map(|(last, _)| self.free_at(*last));
            wait = next.unwrap_or(now + 1) - now;
            state = self.expired(&state, now + wait);
        }
        Some(match self.fault {
            Fault::Waits(ticks) if wait > 1 => wait.saturating_add_signed(ticks),
            _ => wait,
        })
    }

    fn remaining(&self, state: &WrongState, now: Ticks) -> u32 {
        self.limit.saturating_sub(self.expired(state, now).1)
    }

    fn reset_after(&self, state: &WrongState, now: Ticks) -> Ticks {
        let state = self.expired(state, now);
        let last = state.0.last();
        last.map_or(0, |(last, _)| self.free_at(*last) - now)
    }

    fn refund(&self, state: &mut WrongState, now: Ticks, mut units: u32) {
        *state = self.expired(state, now);
        for part in &mut state.0 {
            let goes = units.min(part.1);
            part.1 -= goes;
            units -= goes;
            state.1 = state.1.saturating_sub(goes);
        }
        state.0.retain(|part| part.1 > 0);
    }

    fn under(&self, quota: &Quota) -> crate::error::Result<Self> {
        Err(quota.unfit("mutants have one quota"))
    }

    fn adopt(&self, _old: &Self, _state: &mut WrongState, _now: Ticks) {}
}

fn is_caught(fault: Fault) -> bool {
    is_killed(segment_case(), |(limit, window, start, steps)| {
        let algorithm = WrongSegments {
            limit,
            window,
            fault,
        };
        disagreement(&algorithm, SegmentModel::new(limit, window), start, &steps)
    })
}

#[test]
fn faultless_segments_survive() {
    assert!(!is_caught(Fault::None));
}

#[test]
fn a_part_that_goes_a_tick_early_or_late_is_killed() {
    assert!(is_caught(Fault::Late(-1)));
    assert!(is_caught(Fault::Late(1)));
}

#[test]
fn a_window_without_the_part_at_its_end_is_killed() {
    assert!(is_caught(Fault::LeavesOutPartial));
}

#[test]
fn a_sum_that_keeps_what_has_left_is_killed() {
    assert!(is_caught(Fault::KeepsSum));
}

#[test]
fn a_wait_that_is_a_tick_off_is_killed() {
    assert!(is_caught(Fault::Waits(-1)));
    assert!(is_caught(Fault::Waits(1)));
}

#[test]
fn counts_that_wrap_are_killed() {
    let debts = |fault| {
        is_killed(segment_case(), |(limit, window, start, steps)| {
            let algorithm = WrongSegments {
                limit,
                window,
                fault,
            };
            bad_debt(&algorithm, start, &steps)
        })
    };
    assert!(debts(Fault::Wraps));
    assert!(!debts(Fault::None));
}
