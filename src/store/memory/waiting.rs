//! The verbs of those who wait.

use std::sync::Arc;

use super::{
    Algorithm, Decision, Fingerprint, MemoryStore, Outcome, Patience, Relaxed, Result, Shard,
    Ticks, Wake, decision_of, fits,
};
use crate::store::queue::{Joined, Polled, Waiter};

impl<A: Algorithm> MemoryStore<A> {
    /// When a newcomer's turn would come, if anybody waits for `key`.
    #[inline]
    pub(super) fn turn(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        cost: u32,
        now: Ticks,
    ) -> Option<Ticks> {
        if shard.queues.is_empty() {
            return None;
        }
        self.turn_in_queue(shard, key, cost, now)
    }

    #[cold]
    fn turn_in_queue(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        cost: u32,
        now: Ticks,
    ) -> Option<Ticks> {
        shard.queue(key)?;
        let live = self.live(shard, key);
        let rule = shard.rule.clone();
        Some(shard.queue(key)?.turn(&rule, &live, now, cost))
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
            if shard.queue(key).is_none() {
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
            }
            return Some(Ok(self.enqueue(&mut shard, key, cost, now, timeout, wake)));
        }
    }

    /// Line up, unless the turn would come too late.
    fn enqueue(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        cost: u32,
        now: Ticks,
        timeout: Option<Ticks>,
        wake: &Arc<dyn Wake>,
    ) -> Joined {
        let deadline = timeout.map_or(Ticks::MAX, |timeout| now.saturating_add(timeout));
        let (rule, live) = (shard.rule.clone(), self.live(shard, key));
        let queue = shard.queue_or_new(key);
        let turn = queue.turn(&rule, &live, now, cost);
        let behind = !queue.waiters.is_empty();
        if turn > deadline {
            shard.drop_empty_queue(key);
            shard.count(false);
            return Joined::Settled(refusal(&rule, &live, now, cost, behind.then_some(turn)));
        }
        let ticket = self.tickets.fetch_add(1, Relaxed);
        let waiter = Waiter {
            ticket,
            cost,
            deadline,
            wake: Arc::clone(wake),
        };
        queue.push(waiter, &rule, turn);
        let poll_at = if behind { deadline } else { turn };
        Joined::Place {
            ticket,
            poll_at: (poll_at < Ticks::MAX).then_some(poll_at),
        }
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
                let removed = shard.dequeue(key, position, false);
                drop(shard);
                removed.finish();
                return Some(Err(error));
            }
            let mut poll_at = deadline;
            if position == 0 {
                let spent =
                    self.spend_or_overflow(&mut shard, key, cost, now, crowded, patience)?;
                let Some(decision) = spent else {
                    drop(shard);
                    crowded = !self.reclaim(now, patience)?;
                    continue;
                };
                let turn = now + decision.retry_after;
                // A wait that has grown beyond the deadline is refused at once, as on joining.
                if decision.allowed || turn > deadline {
                    shard.count(decision.allowed);
                    let removed = shard.dequeue(key, 0, decision.allowed);
                    drop(shard);
                    removed.finish();
                    return Some(Ok(Polled::Settled(decision)));
                }
                poll_at = turn;
            } else if now >= deadline {
                let (rule, live) = (shard.rule.clone(), self.live(&shard, key));
                let removed = shard.dequeue(key, position, false);
                let turn = self.turn(&mut shard, key, cost, now);
                shard.count(false);
                drop(shard);
                removed.finish();
                return Some(Ok(Polled::Settled(refusal(&rule, &live, now, cost, turn))));
            }
            return Some(Ok(Polled::Pending(
                (poll_at < Ticks::MAX).then_some(poll_at),
            )));
        }
    }

    pub(super) fn leave_queue(
        &self,
        key: Fingerprint,
        ticket: u64,
        patience: Patience,
    ) -> Option<()> {
        let mut shard = self.lock(key, patience)?;
        if let Some((position, ..)) = shard.waiter(key, ticket) {
            let removed = shard.dequeue(key, position, false);
            drop(shard);
            removed.finish();
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
        if crowded && shard.find(key).is_none() {
            return self
                .spend_overflow(shard, cost, now, patience, decision_of)
                .map(Some);
        }
        Some(self.spend(shard, key, cost, now, decision_of))
    }
}

fn refusal<A: Algorithm>(
    rule: &A,
    state: &A::State,
    now: Ticks,
    cost: u32,
    turn: Option<Ticks>,
) -> Decision {
    Outcome {
        rule,
        state,
        allowed: false,
        now,
        cost,
        turn,
    }
    .decision()
}
