//! Who waits for a key, first come first served.

use std::collections::VecDeque;
use std::sync::Arc;

use super::fingerprint::Fingerprint;
use crate::algorithm::Algorithm;
use crate::clock::Ticks;
use crate::decision::Decision;

/// Tells a waiter that it should [`poll`](super::Store::poll) again.
///
/// Called without any lock held, from any thread, and sometimes for nothing.
pub trait Wake: Send + Sync {
    /// Poll again.
    fn wake(&self);
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
    pub(super) wake: Arc<dyn Wake>,
}

/// The waiters of one key.
///
/// Only the first of them spends, and each is woken when it becomes the first: one timer a
/// queue is enough, however long it is.
pub(super) struct Queue<A: Algorithm> {
    pub(super) key: Fingerprint,
    pub(super) waiters: VecDeque<Waiter>,
    /// The key's state once all waiters have been admitted as early as possible, and when
    /// that is. `None` when something has changed that.
    plan: Option<(A::State, Ticks)>,
}

impl<A: Algorithm> Queue<A> {
    pub(super) fn new(key: Fingerprint) -> Self {
        Self {
            key,
            waiters: VecDeque::new(),
            plan: None,
        }
    }

    /// When a newcomer would be admitted, behind all who wait.
    pub(super) fn turn(&mut self, rule: &A, live: &A::State, now: Ticks, cost: u32) -> Ticks {
        let (state, at) = self.plan(rule, live, now);
        let at = now.max(*at);
        at + rule.wait(state, at, cost)
    }

    /// Add a waiter whose turn comes at `turn`.
    pub(super) fn push(&mut self, waiter: Waiter, rule: &A, turn: Ticks) {
        if let Some((state, at)) = &mut self.plan {
            *at = turn;
            rule.admit(state, turn, waiter.cost);
        }
        self.waiters.push_back(waiter);
    }

    /// Where a ticket stands.
    pub(super) fn position(&self, ticket: u64) -> Option<usize> {
        self.waiters
            .binary_search_by_key(&ticket, |waiter| waiter.ticket)
            .ok()
    }

    /// Take a waiter out, with whom to wake because it is first now.
    pub(super) fn remove(&mut self, position: usize, admitted: bool) -> Removed {
        let gone = self.waiters.remove(position);
        if !admitted {
            self.plan = None;
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
    pub(super) fn disturb(&mut self) -> Option<Arc<dyn Wake>> {
        self.forget_plan();
        self.first()
    }

    /// The first waiter and those whose time is up: whom a moved clock concerns.
    pub(super) fn concerned(&self, now: Ticks) -> impl Iterator<Item = Arc<dyn Wake>> + '_ {
        let first = self.waiters.front().map(|waiter| waiter.ticket);
        let due = move |waiter: &&Waiter| waiter.deadline <= now || first == Some(waiter.ticket);
        self.waiters
            .iter()
            .filter(due)
            .map(|waiter| Arc::clone(&waiter.wake))
    }

    fn first(&self) -> Option<Arc<dyn Wake>> {
        self.waiters.front().map(|waiter| Arc::clone(&waiter.wake))
    }

    fn plan(&mut self, rule: &A, live: &A::State, now: Ticks) -> &(A::State, Ticks) {
        let waiters = &self.waiters;
        self.plan.get_or_insert_with(|| {
            let (mut state, mut at) = (live.clone(), now);
            // One whose cost no longer fits the quota leaves with an error when it is polled.
            for waiter in waiters.iter().filter(|waiter| waiter.cost <= rule.limit()) {
                at += rule.wait(&state, at, waiter.cost);
                rule.admit(&mut state, at, waiter.cost);
            }
            (state, at)
        })
    }
}

/// A waiter that has left: to be finished, and so dropped, without a lock.
#[derive(Default)]
pub(super) struct Removed {
    next: Option<Arc<dyn Wake>>,
    _gone: Option<Waiter>,
}

impl Removed {
    /// Wake the one that is first now.
    pub(super) fn finish(self) {
        if let Some(next) = self.next {
            next.wake();
        }
    }
}
