//! The waiters of one key: first come, first served.

use std::collections::VecDeque;
use std::sync::Arc;

use super::decide::call::Call;
use super::fingerprint::Fingerprint;
use crate::algorithm::{Algorithm, Plan};
use crate::clock::Ticks;
use crate::quota::Quota;
use crate::store::{Ask, Wake};

/// The plan is made anew once waiters have been admitted so much later than planned, in sum.
const LARGEST_DRIFT: Ticks = 1_000;
/// The pause between two wake-ups of a first waiter who could be admitted and does not come.
const WAKE_AGAIN_AFTER: Ticks = 10_000;
/// A waiter further back looks after the first one when it is this late itself; the pause between
/// two looks grows with its position.
const LOOK_AFTER: Ticks = 100_000;

/// One caller who waits.
pub(super) struct Waiter {
    /// Its ticket's.
    pub(super) number: u64,
    pub(super) cost: u32,
    /// When it gives up; `Ticks::MAX` for never.
    pub(super) deadline: Ticks,
    /// When it is planned to be admitted; `Ticks::MAX`: nobody knows.
    pub(super) admit_at: Ticks,
    pub(super) wake: Arc<dyn Wake>,
}

impl Waiter {
    /// It is planned behind those who were. False: its cost no longer fits the quota, of which `most`
    /// fits, and it leaves with an error when it is polled.
    fn plan<A: Algorithm>(
        &self,
        most: u32,
        plan: &mut A::Plan,
        at: &mut Ticks,
        algorithm: &A,
        state: &A::State,
    ) -> bool {
        if self.cost > most {
            return false;
        }
        let cost = self.cost.min(algorithm.limit()); // what new keys share may be less
        *at = at.saturating_add(plan.wait(algorithm, state, *at, cost));
        plan.push(algorithm, *at, cost);
        true
    }
}

/// The waiters of one key.
///
/// Only the first one spends, and each is woken when it becomes the first. So a queue needs one
/// timer, however long it is.
pub(super) struct Queue<A: Algorithm> {
    pub(super) key: Fingerprint,
    /// By which quota all who wait are decided, if it is not the store's own.
    pub(super) quota: Option<Arc<Quota>>,
    pub(super) waiters: VecDeque<Waiter>,
    /// How all waiters are admitted as early as possible, and when the last one is. `None` when
    /// something has changed that.
    plan: Option<(A::Plan, Ticks)>,
    /// How often it was spent from when the plan was made, if other keys share the state.
    shared_spends: Option<u64>,
    /// How much later than planned waiters were admitted since.
    drift: Ticks,
    wake_again_at: Ticks,
    /// When the first waiter looks for room for its key, if the store has none; 0: not at all.
    pub(super) looks_at: Ticks,
}

impl<A: Algorithm> Queue<A> {
    pub(super) fn new(key: Fingerprint) -> Self {
        Self {
            key,
            quota: None,
            waiters: VecDeque::new(),
            plan: None,
            shared_spends: None,
            drift: 0,
            wake_again_at: 0,
            looks_at: 0,
        }
    }

    /// What the first waiter asks for.
    pub(super) fn first_cost(&self) -> u32 {
        self.waiters.front().map_or(1, |first| first.cost)
    }

    /// Whether there is a plan, made when what keys share was spent from so often.
    pub(super) fn is_planned(&self, shared_spends: Option<u64>) -> bool {
        self.plan.is_some() && self.shared_spends == shared_spends
    }

    /// Plan when each waiter is admitted, from the key's state.
    pub(super) fn make_plan(
        &mut self,
        algorithm: &A,
        state: &A::State,
        now: Ticks,
        shared_spends: Option<u64>,
    ) {
        let (mut plan, mut at) = (A::Plan::new(algorithm, state), now);
        let own = self.quota.as_ref().and_then(|quota| quota.limit());
        let most = own.unwrap_or_else(|| algorithm.limit());
        for waiter in &mut self.waiters {
            if waiter.plan(most, &mut plan, &mut at, algorithm, state) {
                waiter.admit_at = at;
            }
        }
        self.plan = Some((plan, at));
        self.shared_spends = shared_spends;
        self.drift = 0;
    }

    /// When a newcomer by another quota would be admitted, if all who wait were decided by that.
    pub(super) fn admit_at_under(
        &self,
        algorithm: &A,
        state: &A::State,
        now: Ticks,
        cost: u32,
    ) -> Ticks {
        let (mut plan, mut at) = (A::Plan::new(algorithm, state), now);
        for waiter in &self.waiters {
            waiter.plan(algorithm.limit(), &mut plan, &mut at, algorithm, state);
        }
        at.saturating_add(plan.wait(algorithm, state, at, cost))
    }

    /// The store's own quota changes to `own`: plans were made under the old one.
    pub(super) fn own_quota_is(&mut self, own: &A) {
        self.quota.take_if(|quota| own.under(quota).is_err());
        self.forget_plan();
    }

    /// Whether all who wait are decided by `quota`.
    pub(super) fn is_by(&self, quota: Option<&Quota>) -> bool {
        self.quota.as_deref() == quota
    }

    /// When a newcomer would be admitted, behind all who wait. `None`: there is no plan.
    pub(super) fn admit_at(
        &self,
        algorithm: &A,
        state: &A::State,
        now: Ticks,
        cost: u32,
    ) -> Option<Ticks> {
        let (plan, at) = self.plan.as_ref()?;
        let at = now.max(*at);
        Some(at.saturating_add(plan.wait(algorithm, state, at, cost)))
    }

    /// Add a waiter, and say when it should look after those before it.
    pub(super) fn push(&mut self, waiter: Waiter, algorithm: &A) -> Ticks {
        if let Some((plan, at)) = &mut self.plan {
            *at = waiter.admit_at;
            plan.push(
                algorithm,
                waiter.admit_at,
                waiter.cost.min(algorithm.limit()),
            );
        }
        let behind = !self.waiters.is_empty();
        let look_at = waiter
            .admit_at
            .saturating_add(if behind { LOOK_AFTER } else { 0 });
        let poll_at = look_at.min(waiter.deadline);
        self.waiters.push_back(waiter);
        poll_at
    }

    /// When one who is not the first looks again whether the first still comes.
    pub(super) fn look_again_at(&self, position: usize, now: Ticks) -> Ticks {
        let waiter = &self.waiters[position];
        let pause = LOOK_AFTER.saturating_mul(position as Ticks);
        waiter
            .admit_at
            .max(now)
            .saturating_add(pause)
            .min(waiter.deadline)
    }

    /// Whether the first waiter could be admitted and has not come for a while.
    pub(super) fn is_overdue(&self, algorithm: &A, live: &A::State, now: Ticks) -> bool {
        let missed_a_look = (1..=now).contains(&self.looks_at);
        let due = |first: &Waiter| {
            missed_a_look
                || first.cost > algorithm.limit()
                || algorithm.wait(live, now, first.cost) == Some(0)
        };
        now >= self.wake_again_at && self.waiters.front().is_some_and(due)
    }

    /// The first waiter, to be woken now and not again for a while.
    pub(super) fn wake_first_again(&mut self, now: Ticks) -> Option<WakeUp> {
        self.wake_again_at = now.saturating_add(WAKE_AGAIN_AFTER);
        self.first()
    }

    /// Whether someone waits who can only go on in this thread.
    pub(super) fn needs_this_thread(&self) -> bool {
        let mut waiters = self.waiters.iter();
        waiters.any(|waiter| waiter.wake.needs_this_thread())
    }

    /// Where a ticket stands.
    pub(super) fn position(&self, number: u64) -> Option<usize> {
        self.waiters
            .binary_search_by_key(&number, |waiter| waiter.number)
            .ok()
    }

    /// Take a waiter out, admitted now or given up.
    pub(super) fn remove(&mut self, position: usize, admitted_at: Option<Ticks>) -> Removed {
        let gone = self.waiters.remove(position);
        match (admitted_at, &gone) {
            // Room came free, or the shared quota was used by others as well.
            (Some(_), Some(_)) if self.looks_at > 0 => self.plan = None,
            (Some(at), Some(gone)) => {
                if let Some((plan, _)) = &mut self.plan {
                    plan.pop();
                }
                self.drift = self.drift.saturating_add(at.saturating_sub(gone.admit_at));
                if self.drift > LARGEST_DRIFT {
                    self.plan = None;
                }
            }
            _ => self.plan = None,
        }
        if position == 0 {
            self.looks_at = 0;
        }
        Removed {
            next: if position == 0 { self.first() } else { None },
            _gone: gone,
        }
    }

    pub(super) fn forget_plan(&mut self) {
        self.plan = None;
    }

    /// Something but the waiters has changed the key's state.
    pub(super) fn disturb(&mut self) -> Option<WakeUp> {
        self.forget_plan();
        self.first()
    }

    /// The first waiter and those whose time is up: whom a moved clock concerns.
    pub(super) fn concerned(&self, now: Ticks) -> impl Iterator<Item = WakeUp> + '_ {
        let first = self.waiters.front().map(|waiter| waiter.number);
        let due = move |waiter: &&Waiter| waiter.deadline <= now || first == Some(waiter.number);
        self.waiters
            .iter()
            .filter(due)
            .map(|waiter| self.wake_up(waiter))
    }

    /// All who wait.
    pub(super) fn everybody(&self) -> impl Iterator<Item = WakeUp> + '_ {
        self.waiters.iter().map(|waiter| self.wake_up(waiter))
    }

    pub(super) fn first(&self) -> Option<WakeUp> {
        self.waiters.front().map(|waiter| self.wake_up(waiter))
    }

    fn wake_up(&self, waiter: &Waiter) -> WakeUp {
        WakeUp {
            key: self.key,
            number: waiter.number,
            wake: Arc::clone(&waiter.wake),
        }
    }
}

/// A waiter that is to be woken, without a lock.
pub(super) struct WakeUp {
    pub(super) key: Fingerprint,
    number: u64,
    pub(super) wake: Arc<dyn Wake>,
}

impl WakeUp {
    /// One that waits for other stores as well, and sees itself to those who follow if it is gone.
    pub(super) fn of_applicant(key: Fingerprint, number: u64, wake: Arc<dyn Wake>) -> Self {
        Self { key, number, wake }
    }

    /// The waiter, as one who asks again.
    pub(super) fn call(&self) -> Call<'static> {
        Call {
            number: Some(self.number),
            ..Ask::new(self.key, 1).into()
        }
    }
}

/// A waiter that has left, to be dropped without a lock, and the one that is first now.
#[derive(Default)]
pub(super) struct Removed {
    pub(super) next: Option<WakeUp>,
    _gone: Option<Waiter>,
}
