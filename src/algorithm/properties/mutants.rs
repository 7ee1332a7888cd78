//! Limiters with the mistakes that others have made. Each must be told from the real thing.

use super::models::{BucketModel, CounterModel, FixedModel, LogModel};
use super::{Algorithm, bucket_case, disagreement, is_killed, window_case};
use crate::algorithm::StatePlan;
use crate::clock::{SECOND, Ticks};
use crate::quota::Quota;

/// A log that is wrong about when a unit leaves, or forgets units of one instant.
#[derive(Clone)]
struct WrongLog {
    limit: u32,
    window: Ticks,
    /// Added to the time at which a unit leaves.
    late: i64,
    /// Keeps one unit a timestamp, as a set does.
    set: bool,
}

impl WrongLog {
    fn live(&self, units: &[Ticks], now: Ticks) -> Vec<Ticks> {
        let leaves = |time: Ticks| (time + self.window).saturating_add_signed(self.late);
        let live = units.iter().filter(|time| leaves(**time) > now);
        live.copied().collect()
    }
}

impl Algorithm for WrongLog {
    type State = Vec<Ticks>;
    type Plan = StatePlan<Self>;

    fn limit(&self) -> u32 {
        self.limit
    }

    fn window(&self) -> Ticks {
        self.window
    }

    fn fresh(&self) -> Vec<Ticks> {
        Vec::new()
    }

    fn spend(&self, units: &mut Vec<Ticks>, now: Ticks, cost: u32) -> u32 {
        *units = self.live(units, now);
        units.extend((0..cost).map(|_| now));
        if self.set {
            units.dedup();
        }
        cost
    }

    fn wait(&self, units: &Vec<Ticks>, now: Ticks, cost: u32) -> Option<Ticks> {
        let mut live = self.live(units, now);
        live.sort_unstable();
        let excess = (live.len() + cost as usize).saturating_sub(self.limit as usize);
        let leaves = |time: &Ticks| (time + self.window).saturating_add_signed(self.late) - now;
        Some(match excess.checked_sub(1) {
            None => 0,
            Some(last) => live.get(last).map_or(0, leaves),
        })
    }

    fn remaining(&self, units: &Vec<Ticks>, now: Ticks) -> u32 {
        let live = u32::try_from(self.live(units, now).len()).unwrap_or(u32::MAX);
        self.limit.saturating_sub(live)
    }

    fn reset_after(&self, units: &Vec<Ticks>, now: Ticks) -> Ticks {
        let live = self.live(units, now);
        live.last().map_or(0, |last| {
            (last + self.window).saturating_add_signed(self.late) - now
        })
    }

    fn refund(&self, units: &mut Vec<Ticks>, now: Ticks, count: u32) {
        *units = self.live(units, now);
        units.drain(..units.len().min(count as usize));
    }

    fn under(&self, quota: &Quota) -> crate::error::Result<Self> {
        Err(quota.unfit("mutants have one quota"))
    }

    fn adopt(&self, _old: &Self, _units: &mut Vec<Ticks>, _now: Ticks) {}
}

/// A bucket kept as a theoretical arrival time in ticks, as many are.
#[derive(Clone)]
struct WrongBucket {
    capacity: u32,
    /// Ticks a token: rounded down, where the truth is a fraction.
    interval: Ticks,
    /// Intervals that may be borrowed: `capacity - 1` is right, `capacity` is not.
    tau: u32,
    /// Whether idle time beyond a full bucket is forgotten.
    clamped: bool,
    full_at_start: Ticks,
}

impl WrongBucket {
    fn ahead(&self, arrival: i128, now: Ticks) -> i128 {
        let ahead = arrival - i128::from(now);
        if self.clamped { ahead.max(0) } else { ahead }
    }

    fn excess(&self, arrival: i128, now: Ticks, cost: u32) -> i128 {
        let after = self.ahead(arrival, now) + i128::from(cost - 1) * i128::from(self.interval);
        after - i128::from(self.tau) * i128::from(self.interval)
    }
}

impl Algorithm for WrongBucket {
    type State = i128;
    type Plan = StatePlan<Self>;

    fn limit(&self) -> u32 {
        self.capacity
    }

    fn window(&self) -> Ticks {
        self.interval * Ticks::from(self.capacity)
    }

    fn fresh(&self) -> i128 {
        i128::from(self.full_at_start)
    }

    fn spend(&self, arrival: &mut i128, now: Ticks, cost: u32) -> u32 {
        let ahead = self.ahead(*arrival, now) + i128::from(cost) * i128::from(self.interval);
        *arrival = i128::from(now) + ahead;
        cost
    }

    fn wait(&self, arrival: &i128, now: Ticks, cost: u32) -> Option<Ticks> {
        Some(Ticks::try_from(self.excess(*arrival, now, cost)).unwrap_or(0))
    }

    fn remaining(&self, arrival: &i128, now: Ticks) -> u32 {
        (1..=self.capacity)
            .rev()
            .find(|&cost| self.excess(*arrival, now, cost) <= 0)
            .unwrap_or(0)
    }

    fn reset_after(&self, arrival: &i128, now: Ticks) -> Ticks {
        Ticks::try_from(arrival - i128::from(now)).unwrap_or(0)
    }

    fn refund(&self, arrival: &mut i128, _now: Ticks, units: u32) {
        *arrival -= i128::from(units) * i128::from(self.interval);
    }

    fn under(&self, quota: &Quota) -> crate::error::Result<Self> {
        Err(quota.unfit("mutants have one quota"))
    }

    fn adopt(&self, _old: &Self, _arrival: &mut i128, _now: Ticks) {}
}

/// A fixed window that starts with its first call, and a counter that rounds its weight down.
#[derive(Clone)]
struct WrongWindow {
    limit: u32,
    window: Ticks,
    weighs_previous: bool,
}

/// When the window began, its count, and the count before.
type WindowState = (Ticks, u32, u32);

impl WrongWindow {
    fn rolled(&self, state: WindowState, now: Ticks) -> WindowState {
        let aligned = now / self.window * self.window;
        let (start, current, previous) = state;
        if self.weighs_previous {
            match aligned.checked_sub(start) {
                Some(0) => state,
                Some(gap) if gap == self.window => (aligned, 0, current),
                _ => (aligned, 0, 0),
            }
        } else if now >= start + self.window || current == 0 {
            (now, 0, 0)
        } else {
            (start, current, previous)
        }
    }

    fn used(&self, (start, current, previous): WindowState, now: Ticks) -> u32 {
        let left = u128::from(start + self.window - now);
        let weight = u128::from(previous) * left / u128::from(self.window);
        current + u32::try_from(weight).unwrap_or(u32::MAX)
    }
}

impl Algorithm for WrongWindow {
    type State = WindowState;
    type Plan = StatePlan<Self>;

    fn limit(&self) -> u32 {
        self.limit
    }

    fn window(&self) -> Ticks {
        self.window
    }

    fn fresh(&self) -> WindowState {
        (0, 0, 0)
    }

    fn spend(&self, state: &mut WindowState, now: Ticks, cost: u32) -> u32 {
        *state = self.rolled(*state, now);
        state.1 += cost;
        cost
    }

    fn wait(&self, state: &WindowState, now: Ticks, cost: u32) -> Option<Ticks> {
        let mut wait = 0;
        while self.used(self.rolled(*state, now + wait), now + wait) + cost > self.limit {
            wait += 1 + self.window / 100;
        }
        Some(wait)
    }

    fn remaining(&self, state: &WindowState, now: Ticks) -> u32 {
        self.limit
            .saturating_sub(self.used(self.rolled(*state, now), now))
    }

    fn reset_after(&self, state: &WindowState, now: Ticks) -> Ticks {
        let (start, current, _) = self.rolled(*state, now);
        if current == 0 {
            0
        } else {
            start + self.window - now
        }
    }

    fn refund(&self, state: &mut WindowState, _now: Ticks, units: u32) {
        state.1 = state.1.saturating_sub(units);
    }

    fn under(&self, quota: &Quota) -> crate::error::Result<Self> {
        Err(quota.unfit("mutants have one quota"))
    }

    fn adopt(&self, _old: &Self, _state: &mut WindowState, _now: Ticks) {}
}

fn log_is_killed(late: i64, set: bool) -> bool {
    is_killed(window_case(), |(limit, window, start, steps)| {
        let algorithm = WrongLog {
            limit,
            window,
            late,
            set,
        };
        disagreement(&algorithm, LogModel::new(limit, window), start, &steps)
    })
}

#[test]
fn a_faultless_log_survives() {
    assert!(!log_is_killed(0, false));
}

#[test]
fn a_log_that_keeps_a_unit_a_tick_too_long_is_killed() {
    assert!(log_is_killed(1, false));
}

#[test]
fn a_log_that_drops_a_unit_a_tick_too_early_is_killed() {
    assert!(log_is_killed(-1, false));
}

#[test]
fn a_log_with_the_timestamp_as_its_member_is_killed() {
    assert!(log_is_killed(0, true));
}

/// `mend` makes a mutant of the bucket that a rate of whole ticks a token needs.
fn bucket_is_killed(whole_ticks: bool, mend: impl Fn(&mut WrongBucket)) -> bool {
    is_killed(
        bucket_case(),
        |(capacity, tokens, seconds, _, start, steps)| {
            let per_token = SECOND * Ticks::from(seconds);
            let interval = per_token / Ticks::from(tokens);
            if interval == 0 || (whole_ticks && !per_token.is_multiple_of(Ticks::from(tokens))) {
                return None;
            }
            let mut algorithm = WrongBucket {
                capacity,
                interval,
                tau: capacity - 1,
                clamped: true,
                full_at_start: start,
            };
            mend(&mut algorithm);
            let model = BucketModel::new(capacity, tokens, seconds, capacity, start);
            disagreement(&algorithm, model, start, &steps)
        },
    )
}

#[test]
fn a_bucket_with_whole_ticks_a_token_survives() {
    assert!(!bucket_is_killed(true, |_| ()));
}

#[test]
fn an_interval_rounded_down_is_killed() {
    assert!(bucket_is_killed(false, |_| ()));
}

#[test]
fn a_burst_of_one_too_many_is_killed() {
    assert!(bucket_is_killed(true, |algorithm| algorithm.tau = algorithm.capacity));
}

#[test]
fn elapsed_time_without_a_clamp_is_killed() {
    assert!(bucket_is_killed(true, |algorithm| algorithm.clamped = false));
}

#[test]
fn a_window_that_starts_with_its_first_call_is_killed() {
    assert!(is_killed(window_case(), |(limit, window, start, steps)| {
        let algorithm = WrongWindow {
            limit,
            window,
            weighs_previous: false,
        };
        disagreement(&algorithm, FixedModel::new(limit, window), start, &steps)
    }));
}

#[test]
fn a_counter_that_rounds_its_weight_down_is_killed() {
    assert!(is_killed(window_case(), |(limit, window, start, steps)| {
        let algorithm = WrongWindow {
            limit,
            window,
            weighs_previous: true,
        };
        disagreement(&algorithm, CounterModel::new(limit, window), start, &steps)
    }));
}
