//! Permits: at most `limit` are held at once, and one is free again when its holder gives it back.

use super::Algorithm;
use super::plan::StatePlan;
use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::Quota;

/// At most `limit` units are held at any time.
#[derive(Debug, Clone)]
pub struct Permits {
    /// Units that can be held, at least 1.
    pub limit: u32,
    /// How long a unit in Redis outlives a holder that is not heard of; in memory 0.
    pub lease: Ticks,
}

/// How many units are held, and since when there has been at least one.
#[derive(Debug, Clone, Default)]
pub struct State {
    held: u32,
    since: Ticks,
}

impl State {
    /// How many units are held.
    #[must_use]
    pub fn held(&self) -> u32 {
        self.held
    }
}

impl Algorithm for Permits {
    type State = State;
    type Plan = StatePlan<Self>;

    const IS_HELD: bool = true;

    fn limit(&self) -> u32 {
        self.limit
    }

    fn window(&self) -> Ticks {
        self.lease
    }

    fn fresh(&self) -> State {
        State::default()
    }

    /// The units are held, however many there are already: each of them is given back.
    fn spend(&self, state: &mut State, now: Ticks, cost: u32) -> u32 {
        if state.held == 0 {
            state.since = now;
        }
        let counted = cost.min(u32::MAX - state.held);
        state.held += counted;
        counted
    }

    fn wait(&self, state: &State, now: Ticks, cost: u32) -> Option<Ticks> {
        (cost <= self.remaining(state, now)).then_some(0)
    }

    fn remaining(&self, state: &State, _now: Ticks) -> u32 {
        self.limit.saturating_sub(state.held)
    }

    fn reset_after(&self, state: &State, _now: Ticks) -> Ticks {
        if state.held == 0 { 0 } else { Ticks::MAX }
    }

    fn refund(&self, state: &mut State, _now: Ticks, units: u32) {
        state.held = state.held.saturating_sub(units);
    }

    fn counts(&self, state: &State, spent_at: Ticks) -> bool {
        state.held > 0 && spent_at >= state.since
    }

    fn under(&self, quota: &Quota) -> Result<Self> {
        let limit = quota.permits()?.limit;
        Ok(Self { limit, ..*self })
    }

    fn adopt(&self, _old: &Self, _state: &mut State, _now: Ticks) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_frees_nothing_by_time() {
        let algorithm = Permits { limit: 3, lease: 0 };
        let mut state = algorithm.fresh();
        assert!(algorithm.admit(&mut state, 5, 2) && !algorithm.admit(&mut state, 6, 2));
        let (now, later) = (
            algorithm.look(&state, 6, 2),
            algorithm.look(&state, Ticks::MAX, 2),
        );
        assert_eq!((now.fits, now.wait, now.left), (false, None, 1));
        assert_eq!(now, later);
        assert_eq!(algorithm.look(&state, 6, 1).wait, Some(0));
        assert_eq!(algorithm.reset_after(&state, 6), Ticks::MAX);
        algorithm.refund(&mut state, 7, 2);
        assert_eq!((algorithm.reset_after(&state, 7), state.held()), (0, 0));
    }

    #[test]
    fn more_than_the_limit_is_given_back_before_one_is_free() {
        let algorithm = Permits { limit: 2, lease: 0 };
        let mut state = algorithm.fresh();
        algorithm.spend(&mut state, 0, 5);
        for left in (2..5).rev() {
            assert!(!algorithm.admit(&mut state, 1, 1));
            algorithm.refund(&mut state, 1, 1);
            assert_eq!(state.held(), left);
        }
        algorithm.spend(&mut state, 1, u32::MAX);
        algorithm.refund(&mut state, 1, u32::MAX);
        assert!(algorithm.admit(&mut state, 1, 2));
    }

    #[test]
    fn what_was_held_before_it_was_forgotten_does_not_count() {
        let algorithm = Permits { limit: 1, lease: 0 };
        let mut state = algorithm.fresh();
        assert!(!algorithm.counts(&state, 0), "nothing is held");
        assert!(algorithm.admit(&mut state, 9, 1));
        assert!(algorithm.counts(&state, 9) && !algorithm.counts(&state, 8));
    }
}
