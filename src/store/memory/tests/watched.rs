//! A algorithm that counts how often it is asked when a key goes idle, and may say so too early.

use super::*;
use crate::algorithm::StatePlan;
use crate::quota::Quota;

/// As the algorithm it wraps; `early` is what too short a time to live would be.
#[derive(Clone)]
pub(super) struct Watched<A> {
    pub(super) algorithm: A,
    pub(super) early: Ticks,
    pub(super) looks: Arc<AtomicUsize>,
}

impl<A: Algorithm> Watched<A> {
    pub(super) fn new(algorithm: A) -> Self {
        Self {
            algorithm,
            early: 0,
            looks: Arc::default(),
        }
    }
}

impl<A: Algorithm> Algorithm for Watched<A> {
    type State = A::State;
    type Plan = StatePlan<Self>;

    fn limit(&self) -> u32 {
        self.algorithm.limit()
    }

    fn window(&self) -> Ticks {
        self.algorithm.window()
    }

    fn fresh(&self) -> A::State {
        self.algorithm.fresh()
    }

    fn admit(&self, state: &mut A::State, now: Ticks, cost: u32) -> bool {
        self.algorithm.admit(state, now, cost)
    }

    fn spend(&self, state: &mut A::State, now: Ticks, cost: u32) -> u32 {
        self.algorithm.spend(state, now, cost)
    }

    fn wait(&self, state: &A::State, now: Ticks, cost: u32) -> Option<Ticks> {
        self.algorithm.wait(state, now, cost)
    }

    fn remaining(&self, state: &A::State, now: Ticks) -> u32 {
        self.algorithm.remaining(state, now)
    }

    fn reset_after(&self, state: &A::State, now: Ticks) -> Ticks {
        self.looks.fetch_add(1, SeqCst);
        self.algorithm
            .reset_after(state, now)
            .saturating_sub(self.early)
    }

    fn refund(&self, state: &mut A::State, now: Ticks, units: u32) {
        self.algorithm.refund(state, now, units);
    }

    fn under(&self, quota: &Quota) -> crate::error::Result<Self> {
        let algorithm = self.algorithm.under(quota)?;
        Ok(Self {
            algorithm,
            ..self.clone()
        })
    }

    fn adopt(&self, old: &Self, state: &mut A::State, now: Ticks) {
        self.algorithm.adopt(&old.algorithm, state, now);
    }
}
