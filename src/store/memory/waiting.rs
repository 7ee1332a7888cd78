//! The verbs of those who wait.

use std::sync::{Arc, MutexGuard};

use super::{
    Algorithm, Decision, Fingerprint, MemoryStore, Outcome, Patience, Relaxed, Result, Shard,
    Ticks, fits, locked, locked_now,
};
use crate::error::Error;
use crate::store::queue::{Call, Joined, Polled, Waiter, Wake};

/// One who wants to line up.
struct Newcomer<'a> {
    cost: u32,
    deadline: Ticks,
    wake: &'a Arc<dyn Wake>,
}

impl<A: Algorithm> MemoryStore<A> {
    /// When a newcomer's turn would come. `Some(None)`: nobody waits for `key`.
    #[inline]
    pub(super) fn turn(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        cost: u32,
        now: Ticks,
        patience: Patience,
    ) -> Option<Option<Ticks>> {
        if !shard.has_queue(key) {
            return Some(None);
        }
        self.plan(shard, key, now, patience)?;
        let live = self.live(shard, key, cost, now, patience)?;
        let queue = shard.look_at_queue(key);
        Some(queue.and_then(|queue| queue.turn(&shard.rule, &live, now, cost)))
    }

    /// Make sure that the queue of `key`, if there is one, has a plan.
    fn plan(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        now: Ticks,
        patience: Patience,
    ) -> Option<()> {
        let queue = shard.look_at_queue(key);
        let Some(queue) = queue.filter(|queue| !queue.is_planned()) else {
            return Some(());
        };
        let elsewhere = if shard.find(key).is_none() {
            Some(self.live_of_newcomer(&shard.rule, queue.first_cost(), now, patience)?)
        } else {
            None
        };
        shard.plan_queue(key, elsewhere.as_deref(), now);
        Some(())
    }

    /// The first waiter of `key`, if it could be admitted but does not come.
    pub(super) fn overdue(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        now: Ticks,
        patience: Patience,
    ) -> Option<Option<Call>> {
        let Some(queue) = shard.look_at_queue(key) else {
            return Some(None);
        };
        let overdue = {
            let live = self.live(shard, key, queue.first_cost(), now, patience)?;
            queue.is_overdue(&shard.rule, &live, now)
        };
        Some(match shard.queue(key) {
            Some(queue) if overdue => queue.ring_first(now),
            _ => None,
        })
    }

    /// Wake waiters. One who is not there any more loses its place to the next.
    pub(super) fn ring(&self, calls: impl IntoIterator<Item = Call>) {
        calls.into_iter().for_each(|call| self.ring_one(call));
    }

    fn ring_one(&self, call: Call) {
        let mut next = Some(call);
        while let Some(call) = next.take_if(|call| !call.wake.wake()) {
            let removed = {
                let mut shard = locked_now(&self.cell(call.key).shard);
                match shard.waiter(call.key, call.ticket) {
                    Some((position, ..)) => shard.dequeue(call.key, position, None),
                    None => break,
                }
            };
            next = removed.next;
        }
    }

    /// As the beginning of [`Self::join_queue`], for a caller that has no bell yet.
    pub(super) fn admit_first(
        &self,
        key: Fingerprint,
        cost: u32,
        patience: Patience,
    ) -> Option<Result<Option<Decision>>> {
        let mut shard = self.lock(key, patience)?;
        let now = shard.at(self.clock.now());
        if let Err(error) = fits(&shard.rule, cost) {
            return Some(Err(error));
        }
        if shard.has_queue(key) {
            return Some(Ok(None));
        }
        let decided = |outcome: &Outcome<'_, A>| self.decision_of(outcome);
        let spent = self.spend(&mut shard, key, cost, now, decided);
        let admitted = spent.filter(|decision| decision.allowed);
        if admitted.is_some() {
            shard.count(true);
        }
        Some(Ok(admitted))
    }

    pub(super) fn join_queue(
        &self,
        key: Fingerprint,
        cost: u32,
        timeout: Option<Ticks>,
        wake: &Arc<dyn Wake>,
        patience: Patience,
    ) -> Option<Result<Joined>> {
        let mut crowded = false;
        loop {
            let mut shard = self.lock(key, patience)?;
            let now = shard.at(self.clock.now());
            if let Err(error) = fits(&shard.rule, cost) {
                return Some(Err(error));
            }
            if !shard.has_queue(key) {
                let spent =
                    self.spend_or_overflow(&mut shard, key, cost, now, crowded, patience)?;
                let Some(decision) = spent else {
                    drop(shard);
                    crowded = !self.reclaim(now, patience)?;
                    continue;
                };
                if decision.allowed {
                    shard.count(true);
                    return Some(Ok(Joined::Settled(decision)));
                }
            } else if let Some(overdue) = self.overdue(&mut shard, key, now, patience)? {
                drop(shard);
                self.ring([overdue]);
                continue;
            }
            let deadline = timeout.map_or(Ticks::MAX, |timeout| now.saturating_add(timeout));
            let newcomer = Newcomer {
                cost,
                deadline,
                wake,
            };
            return self.enqueue(&mut shard, key, now, &newcomer, patience);
        }
    }

    /// Line up, unless the turn would come too late.
    fn enqueue(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        now: Ticks,
        newcomer: &Newcomer<'_>,
        patience: Patience,
    ) -> Option<Result<Joined>> {
        let &Newcomer {
            cost,
            deadline,
            wake,
        } = newcomer;
        let turn_in_queue = self.turn(shard, key, cost, now, patience)?;
        let refusal = {
            let live = self.live(shard, key, cost, now, patience)?;
            self.refusal(&shard.rule, &live, now, cost, turn_in_queue)
        };
        let turn = turn_in_queue.unwrap_or(now.saturating_add(refusal.retry_after));
        if turn > deadline {
            shard.count(false);
            return Some(Ok(Joined::Settled(refusal)));
        }
        let rule = shard.rule.clone();
        let queue = shard.queue_or_new(key);
        if wake.blocks_this_thread() && queue.needs_this_thread() {
            return Some(Err(Error::WouldNeverWake));
        }
        let ticket = self.tickets.fetch_add(1, Relaxed);
        let waiter = Waiter {
            ticket,
            cost,
            deadline,
            turn,
            wake: Arc::clone(wake),
        };
        let is_first = queue.waiters.is_empty();
        let mut poll_at = queue.push(waiter, &rule);
        if is_first {
            poll_at = self.first_polls_at(shard, key, now, poll_at);
        }
        Some(Ok(Joined::Place {
            ticket,
            poll_at: (poll_at < Ticks::MAX).then_some(poll_at),
        }))
    }

    pub(super) fn poll_queue(
        &self,
        key: Fingerprint,
        ticket: u64,
        patience: Patience,
    ) -> Option<Result<Polled>> {
        let mut crowded = false;
        loop {
            let mut shard = self.lock(key, patience)?;
            let now = shard.at(self.clock.now());
            let Some((position, cost, deadline)) = shard.waiter(key, ticket) else {
                return Some(Ok(Polled::Pending(None)));
            };
            if let Err(error) = fits(&shard.rule, cost) {
                let removed = shard.dequeue(key, position, None);
                drop(shard);
                self.ring(removed.next);
                return Some(Err(error));
            }
            if position > 0 {
                if let Some(overdue) = self.overdue(&mut shard, key, now, patience)? {
                    drop(shard);
                    self.ring([overdue]);
                    continue;
                }
                return self.poll_behind(shard, key, ticket, now, patience);
            }
            let spent = self.spend_or_overflow(&mut shard, key, cost, now, crowded, patience)?;
            let Some(decision) = spent else {
                drop(shard);
                crowded = !self.reclaim(now, patience)?;
                continue;
            };
            let turn = now.saturating_add(decision.retry_after);
            // A wait that has grown beyond the deadline is refused at once, as on joining.
            if !decision.allowed && turn <= deadline {
                let again = self.first_polls_at(&mut shard, key, now, turn);
                return Some(Ok(Polled::Pending(Some(again))));
            }
            shard.count(decision.allowed);
            let removed = shard.dequeue(key, 0, decision.allowed.then_some(now));
            drop(shard);
            self.ring(removed.next);
            self.offer_room();
            return Some(Ok(Polled::Settled(decision)));
        }
    }

    /// Poll for one who is not the first.
    fn poll_behind(
        &self,
        mut shard: MutexGuard<'_, Shard<A>>,
        key: Fingerprint,
        ticket: u64,
        now: Ticks,
        patience: Patience,
    ) -> Option<Result<Polled>> {
        let Some((position, cost, deadline)) = shard.waiter(key, ticket) else {
            return Some(Ok(Polled::Pending(None)));
        };
        if now < deadline {
            let queue = shard.look_at_queue(key);
            let again = queue.map(|queue| queue.look_again_at(position, now));
            return Some(Ok(Polled::Pending(again.filter(|&at| at < Ticks::MAX))));
        }
        let turn = self.turn(&mut shard, key, cost, now, patience)?;
        let refusal = {
            let live = self.live(&shard, key, cost, now, patience)?;
            self.refusal(&shard.rule, &live, now, cost, turn)
        };
        let removed = shard.dequeue(key, position, None);
        shard.count(false);
        drop(shard);
        self.ring(removed.next);
        Some(Ok(Polled::Settled(refusal)))
    }

    pub(super) fn leave_queue(
        &self,
        key: Fingerprint,
        ticket: u64,
        patience: Patience,
    ) -> Option<()> {
        // Whatever the wall clock did meanwhile: who leaves changes nothing but the queue.
        let mut shard = locked(&self.cell(key).shard, patience)?;
        if let Some((position, ..)) = shard.waiter(key, ticket) {
            let removed = shard.dequeue(key, position, None);
            drop(shard);
            self.ring(removed.next);
        }
        Some(())
    }

    /// `None`: a lock was held. `Some(None)`: a new key, and no room has been looked for yet.
    fn spend_or_overflow(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        cost: u32,
        now: Ticks,
        crowded: bool,
        patience: Patience,
    ) -> Option<Option<Decision>> {
        let decided = |outcome: &Outcome<'_, A>| self.decision_of(outcome);
        if crowded && shard.find(key).is_none() {
            return self
                .spend_overflow(shard, cost, now, patience, decided)
                .map(Some);
        }
        Some(self.spend(shard, key, cost, now, decided))
    }

    fn refusal(
        &self,
        rule: &A,
        state: &A::State,
        now: Ticks,
        cost: u32,
        turn: Option<Ticks>,
    ) -> Decision {
        self.decision_of(&Outcome {
            rule,
            state,
            allowed: false,
            now,
            cost,
            turn,
        })
    }
}
