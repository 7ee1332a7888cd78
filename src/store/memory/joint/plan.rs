//! When each of those who wait at several stores would be admitted by one of them.

use std::cell::Cell;
use std::sync::Arc;

use super::Applicant;
use crate::algorithm::{Algorithm, Plan};
use crate::clock::Ticks;

/// The plan is made anew once waiters have been admitted so much later than planned, in sum.
const LARGEST_DRIFT: Ticks = 1_000;

/// A key's state as those who wait are decided by it.
pub(in crate::store::memory) struct View<'a, A: Algorithm> {
    pub(in crate::store::memory) algorithm: &'a A,
    pub(in crate::store::memory) state: &'a A::State,
    pub(in crate::store::memory) now: Ticks,
    /// How often it was spent from, if other keys share it: those who wait for this one do not hear of that.
    pub(in crate::store::memory) shared_spends: Option<u64>,
}

impl<A: Algorithm> View<'_, A> {
    /// How long until this cost would fit; `Ticks::MAX`: nobody knows.
    pub(in crate::store::memory) fn wait(&self, cost: u32) -> Ticks {
        let cost = cost.min(self.algorithm.limit());
        let wait = self.algorithm.wait(self.state, self.now, cost);
        wait.unwrap_or(Ticks::MAX)
    }
}

/// One who waits, at this key.
pub(in crate::store::memory) struct Entry {
    pub(in crate::store::memory) applicant: Arc<dyn Applicant>,
    pub(in crate::store::memory) cost: u32,
    /// When it gives up, on the store's clock; `Ticks::MAX` for never.
    pub(in crate::store::memory) deadline: Ticks,
    /// Whether this is the store that wakes it.
    pub(in crate::store::memory) watches: bool,
    /// When it is planned to be admitted here, if it is part of the plan.
    pub(in crate::store::memory) admit_at: Cell<Option<Ticks>>,
}

impl Entry {
    pub(in crate::store::memory) fn new(
        applicant: &Arc<dyn Applicant>,
        cost: u32,
        deadline: Ticks,
        watches: bool,
    ) -> Self {
        Self {
            applicant: Arc::clone(applicant),
            cost,
            deadline,
            watches,
            admit_at: Cell::new(None),
        }
    }
}

/// How those who are refused now are admitted as early as possible.
pub(in crate::store::memory) struct Planned<A: Algorithm> {
    plan: A::Plan,
    /// The first who is part of it.
    pub(in crate::store::memory) first: u64,
    /// The first whom the key refused when it was made.
    pub(in crate::store::memory) refused_from: Option<u64>,
    /// As the view had it when it was made.
    pub(in crate::store::memory) shared_spends: Option<u64>,
    /// When the last one is admitted.
    pub(in crate::store::memory) at: Ticks,
    /// Whether everybody from the first one on is part of it.
    pub(in crate::store::memory) is_whole: bool,
    /// How much later than planned waiters were admitted since.
    drift: Ticks,
}

impl<A: Algorithm> Planned<A> {
    pub(in crate::store::memory) fn of<'e>(
        view: &View<'_, A>,
        entries: impl Iterator<Item = (&'e u64, &'e Entry)>,
    ) -> Self {
        let mut planned = Self {
            plan: A::Plan::new(view.algorithm, view.state),
            first: 0,
            refused_from: None,
            shared_spends: view.shared_spends,
            at: view.now,
            is_whole: false,
            drift: 0,
        };
        for (_, entry) in entries {
            if entry.cost <= view.algorithm.limit() {
                let at = planned.after(view, planned.at, entry.cost);
                planned.push(view.algorithm, at, entry);
            }
        }
        planned
    }

    /// When this cost would be admitted behind all of the plan.
    pub(in crate::store::memory) fn after(
        &self,
        view: &View<'_, A>,
        at: Ticks,
        cost: u32,
    ) -> Ticks {
        let cost = cost.min(view.algorithm.limit());
        let wait = self.plan.wait(view.algorithm, view.state, at, cost);
        at.saturating_add(wait)
    }

    pub(in crate::store::memory) fn push(&mut self, algorithm: &A, at: Ticks, entry: &Entry) {
        self.plan
            .push(algorithm, at, entry.cost.min(algorithm.limit()));
        self.at = at;
        entry.admit_at.set(Some(at));
    }

    /// The first one was admitted, and this is the next. False: it is not as planned.
    pub(in crate::store::memory) fn pop(
        &mut self,
        number: u64,
        gone: &Entry,
        at: Ticks,
        next: u64,
    ) -> bool {
        let Some(planned_at) = gone.admit_at.get() else {
            return false;
        };
        self.plan.pop();
        self.drift = self.drift.saturating_add(at.saturating_sub(planned_at));
        let was_first = self.first == number;
        if self.refused_from == Some(number) {
            self.refused_from = Some(next);
        }
        self.first = next;
        was_first && self.is_whole && self.drift <= LARGEST_DRIFT
    }
}
