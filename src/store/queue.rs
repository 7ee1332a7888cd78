//! Who waits for a key, first come first served.

use std::collections::VecDeque;
use std::sync::Arc;

use super::fingerprint::Fingerprint;
use crate::algorithm::{Algorithm, Plan};
use crate::clock::Ticks;
use crate::decision::Decision;

/// Wake-ups may come so late, summed up, before turns are planned anew.
const LARGEST_DRIFT: Ticks = 1_000;
/// A first waiter who could be admitted and does not come is rung again, so often at most.
const RING_AGAIN_AFTER: Ticks = 10_000;
/// Those behind look after it when their own turn is so long past, the further back the later.
const LOOK_AFTER: Ticks = 100_000;

/// Tells a waiter that it should [`poll`](super::Store::poll) again.
///
/// Called without a lock of the store, from any thread, in destructors, and sometimes for nothing.
/// So it runs no Python code, which could fail, raise what a signal handler raises, or lose the
/// exception that is being handled.
pub trait Wake: Send + Sync {
    /// Poll again. False: nobody is there any more, and the place goes to the next one.
    fn wake(&self) -> bool;

    /// Whether the waiter blocks the thread that asks.
    fn blocks_this_thread(&self) -> bool {
        false
    }

    /// Whether the waiter can only go on in the thread that asks.
    fn needs_this_thread(&self) -> bool {
        false
    }
}

/// What came of joining a queue.
#[derive(Debug)]
pub enum Joined {
    /// Settled at once.
    Settled(Decision),
    /// A place in the queue.
    Place {
        /// The number to poll with.
        ticket: u64,
        /// When to poll next, unless woken before; `None`: only when woken.
        poll_at: Option<Ticks>,
    },
}

/// What came of a poll.
#[derive(Debug)]
pub enum Polled {
    /// Settled; the place is gone.
    Settled(Decision),
    /// Not yet. Poll again at this time, unless woken before; `None`: only when woken.
    Pending(Option<Ticks>),
}

/// One caller who waits.
pub(super) struct Waiter {
    pub(super) ticket: u64,
    pub(super) cost: u32,
    /// When it gives up; `Ticks::MAX` for never.
    pub(super) deadline: Ticks,
    /// When it was last planned to be admitted.
    pub(super) turn: Ticks,
    pub(super) wake: Arc<dyn Wake>,
}

/// The waiters of one key.
///
/// Only the first of them spends, and each is woken when it becomes the first: one timer a
/// queue is enough, however long it is.
pub(super) struct Queue<A: Algorithm> {
    pub(super) key: Fingerprint,
    pub(super) waiters: VecDeque<Waiter>,
    /// How all waiters are admitted as early as possible, and when the last one is. `None` when
    /// something has changed that.
    plan: Option<(A::Plan, Ticks)>,
    /// How much later than planned waiters were admitted since.
    drift: Ticks,
    ring_again_at: Ticks,
    /// When the first waiter looks for room for its key, if the store has none; 0: not at all.
    pub(super) looks_at: Ticks,
}

impl<A: Algorithm> Queue<A> {
    pub(super) fn new(key: Fingerprint) -> Self {
        Self {
            key,
            waiters: VecDeque::new(),
            plan: None,
            drift: 0,
            ring_again_at: 0,
            looks_at: 0,
        }
    }

    /// What the first waiter asks for.
    pub(super) fn first_cost(&self) -> u32 {
        self.waiters.front().map_or(1, |first| first.cost)
    }

    /// Whether turns can be told without planning anew.
    pub(super) fn is_planned(&self) -> bool {
        self.plan.is_some()
    }

    /// Plan when each waiter is admitted, from the key's state.
    pub(super) fn make_plan(&mut self, rule: &A, state: &A::State, now: Ticks) {
        let (mut plan, mut at) = (A::Plan::new(rule, state), now);
        // One whose cost no longer fits the quota leaves with an error when it is polled.
        for waiter in self.waiters.iter_mut().filter(|w| w.cost <= rule.limit()) {
            at = at.saturating_add(plan.wait(rule, state, at, waiter.cost));
            plan.push(rule, at, waiter.cost);
            waiter.turn = at;
        }
        self.plan = Some((plan, at));
        self.drift = 0;
    }

    /// When a newcomer would be admitted, behind all who wait. `None`: there is no plan.
    pub(super) fn turn(&self, rule: &A, state: &A::State, now: Ticks, cost: u32) -> Option<Ticks> {
        let (plan, at) = self.plan.as_ref()?;
        let at = now.max(*at);
        Some(at.saturating_add(plan.wait(rule, state, at, cost)))
    }

    /// Add a waiter, and say when it should look after those before it.
    pub(super) fn push(&mut self, waiter: Waiter, rule: &A) -> Ticks {
        if let Some((plan, at)) = &mut self.plan {
            *at = waiter.turn;
            plan.push(rule, waiter.turn, waiter.cost);
        }
        let behind = !self.waiters.is_empty();
        let look_at = waiter
            .turn
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
            .turn
            .max(now)
            .saturating_add(pause)
            .min(waiter.deadline)
    }

    /// Whether the first waiter could be admitted and has not come for a while.
    pub(super) fn is_overdue(&self, rule: &A, live: &A::State, now: Ticks) -> bool {
        let missed_a_look = (1..=now).contains(&self.looks_at);
        let due = |first: &Waiter| {
            missed_a_look
                || first.cost > rule.limit()
                || rule.wait(live, now, first.cost) == Some(0)
        };
        now >= self.ring_again_at && self.waiters.front().is_some_and(due)
    }

    /// The first waiter, to be rung now and not again for a while.
    pub(super) fn ring_first(&mut self, now: Ticks) -> Option<Call> {
        self.ring_again_at = now.saturating_add(RING_AGAIN_AFTER);
        self.first()
    }

    /// Whether someone waits who can only go on in this thread.
    pub(super) fn needs_this_thread(&self) -> bool {
        let mut waiters = self.waiters.iter();
        waiters.any(|waiter| waiter.wake.needs_this_thread())
    }

    /// Where a ticket stands.
    pub(super) fn position(&self, ticket: u64) -> Option<usize> {
        self.waiters
            .binary_search_by_key(&ticket, |waiter| waiter.ticket)
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
                self.drift = self.drift.saturating_add(at.saturating_sub(gone.turn));
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
    pub(super) fn disturb(&mut self) -> Option<Call> {
        self.forget_plan();
        self.first()
    }

    /// The first waiter and those whose time is up: whom a moved clock concerns.
    pub(super) fn concerned(&self, now: Ticks) -> impl Iterator<Item = Call> + '_ {
        let first = self.waiters.front().map(|waiter| waiter.ticket);
        let due = move |waiter: &&Waiter| waiter.deadline <= now || first == Some(waiter.ticket);
        self.waiters
            .iter()
            .filter(due)
            .map(|waiter| self.call(waiter))
    }

    /// All who wait.
    pub(super) fn everybody(&self) -> impl Iterator<Item = Call> + '_ {
        self.waiters.iter().map(|waiter| self.call(waiter))
    }

    pub(super) fn first(&self) -> Option<Call> {
        self.waiters.front().map(|waiter| self.call(waiter))
    }

    fn call(&self, waiter: &Waiter) -> Call {
        Call {
            key: self.key,
            ticket: waiter.ticket,
            wake: Arc::clone(&waiter.wake),
        }
    }
}

/// A waiter that is to be woken, without a lock.
pub(super) struct Call {
    pub(super) key: Fingerprint,
    pub(super) ticket: u64,
    pub(super) wake: Arc<dyn Wake>,
}

/// A waiter that has left, to be dropped without a lock, and the one that is first now.
#[derive(Default)]
pub(super) struct Removed {
    pub(super) next: Option<Call>,
    _gone: Option<Waiter>,
}
