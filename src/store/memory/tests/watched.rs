//! A rule that counts how often it is asked when a key goes idle, and may say so too early.

use super::*;
use crate::algorithm::StatePlan;

/// As the rule it wraps; `early` is what too short a time to live would be.
#[derive(Clone)]
pub(super) struct Watched<A> {
    pub(super) rule: A,
    pub(super) early: Ticks,
    pub(super) looks: Arc<AtomicUsize>,
}

impl<A: Algorithm> Watched<A> {
    pub(super) fn new(rule: A) -> Self {
        Self {
            rule,
            early: 0,
            looks: Arc::default(),
        }
    }
}

impl<A: Algorithm> Algorithm for Watched<A> {
    type State = A::State;
    type Plan = StatePlan<Self>;

    fn limit(&self) -> u32 {
        self.rule.limit()
    }

    fn window(&self) -> Ticks {
        self.rule.window()
    }

    fn fresh(&self) -> A::State {
        self.rule.fresh()
    }

    fn admit(&self, state: &mut A::State, now: Ticks, cost: u32) -> bool {
        self.rule.admit(state, now, cost)
    }

    fn spend(&self, state: &mut A::State, now: Ticks, cost: u32) {
        self.rule.spend(state, now, cost);
    }

    fn wait(&self, state: &A::State, now: Ticks, cost: u32) -> Option<Ticks> {
        self.rule.wait(state, now, cost)
    }

    fn remaining(&self, state: &A::State, now: Ticks) -> u32 {
        self.rule.remaining(state, now)
    }

    fn reset_after(&self, state: &A::State, now: Ticks) -> Ticks {
        self.looks.fetch_add(1, SeqCst);
        self.rule.reset_after(state, now).saturating_sub(self.early)
    }

    fn refund(&self, state: &mut A::State, now: Ticks, units: u32) {
        self.rule.refund(state, now, units);
    }

    fn adopt(&self, old: &Self, state: &mut A::State, now: Ticks) {
        self.rule.adopt(&old.rule, state, now);
    }
}
