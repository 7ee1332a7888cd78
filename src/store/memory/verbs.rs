//! The verbs that answer at once.

use std::sync::Arc;

use super::{
    Algorithm, Clock, Decision, Fingerprint, MemoryStore, Outcome, Patience, Relaxed, Result,
    Statistics, Store, Ticks, fits, locked, locked_now,
};
use crate::store::queue::{Joined, Polled, Wake};

/// A batch reads the clock once for so many keys.
const KEYS_PER_CLOCK_READ: usize = 128;

impl<A: Algorithm> MemoryStore<A> {
    /// Decide, spend and count. A plain call does not overtake a waiter.
    #[inline]
    pub(super) fn decide<R>(
        &self,
        key: Fingerprint,
        cost: u32,
        now: impl FnOnce() -> Ticks,
        patience: Patience,
        finish: impl Fn(&Outcome<'_, A>) -> R,
    ) -> Option<Result<R>> {
        let mut shard = self.lock(key, patience)?;
        let now = shard.at(now());
        if let Err(error) = fits(&shard.rule, cost) {
            return Some(Err(error));
        }
        self.tend(&mut shard, now);
        if shard.has_queue(key) {
            drop(shard);
            return self.decide_behind_queue(key, cost, now, patience, finish);
        }
        let counted = |outcome: &Outcome<'_, A>| (outcome.allowed, finish(outcome));
        if let Some((allowed, done)) = self.spend(&mut shard, key, cost, now, counted) {
            shard.count(allowed);
            return Some(Ok(done));
        }
        drop(shard);
        self.decide_crowded(key, cost, now, patience, finish)
    }

    /// As `decide`, for a new key when there seemed to be no room.
    #[cold]
    fn decide_crowded<R>(
        &self,
        key: Fingerprint,
        cost: u32,
        now: Ticks,
        patience: Patience,
        finish: impl Fn(&Outcome<'_, A>) -> R,
    ) -> Option<Result<R>> {
        let counted = |outcome: &Outcome<'_, A>| (outcome.allowed, finish(outcome));
        loop {
            let room = self.reclaim(now, patience)?;
            let mut shard = self.lock(key, patience)?;
            let now = shard.at(now);
            if shard.has_queue(key) {
                drop(shard);
                return self.decide_behind_queue(key, cost, now, patience, finish);
            }
            let spent = if room || shard.find(key).is_some() {
                self.spend(&mut shard, key, cost, now, counted)
            } else {
                Some(self.spend_overflow(&shard, cost, now, patience, counted)?)
            };
            if let Some((allowed, done)) = spent {
                shard.count(allowed);
                return Some(Ok(done));
            }
        }
    }

    /// As `decide`, for a key that others wait for: refuse, unless they have gone.
    #[cold]
    fn decide_behind_queue<R>(
        &self,
        key: Fingerprint,
        cost: u32,
        now: Ticks,
        patience: Patience,
        finish: impl Fn(&Outcome<'_, A>) -> R,
    ) -> Option<Result<R>> {
        loop {
            let mut shard = self.lock(key, patience)?;
            let now = shard.at(now);
            if let Some(overdue) = self.overdue(&mut shard, key, now, patience)? {
                drop(shard);
                self.ring([overdue]);
                continue;
            }
            let Some(turn) = self.turn(&mut shard, key, cost, now, patience)? else {
                drop(shard);
                return self.decide(key, cost, || now, patience, finish);
            };
            shard.count(false);
            return Some(Ok(finish(&Outcome {
                rule: &shard.rule,
                state: &*self.live(&shard, key, cost, now, patience)?,
                allowed: false,
                now,
                cost,
                turn: Some(turn),
            })));
        }
    }
}

impl<A: Algorithm> Store for MemoryStore<A> {
    #[inline]
    fn fingerprint(&self, key: &[u8]) -> Fingerprint {
        self.hasher.fingerprint(key)
    }

    fn limit(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    fn window(&self) -> Ticks {
        self.window.load(Relaxed)
    }

    fn now(&self) -> Ticks {
        self.clock.now()
    }

    fn unix(&self, at: Ticks) -> Ticks {
        self.clock.unix(at)
    }

    fn is_manual(&self) -> bool {
        matches!(self.clock, Clock::Manual(_))
    }

    fn len(&self) -> usize {
        self.keys.load(Relaxed)
    }

    fn is_allowed(
        &self,
        key: Fingerprint,
        cost: u32,
        now: Option<Ticks>,
        patience: Patience,
    ) -> Option<Result<bool>> {
        let now = || now.unwrap_or_else(|| self.clock.now());
        self.decide(key, cost, now, patience, |outcome| outcome.allowed)
    }

    fn check(
        &self,
        key: Fingerprint,
        cost: u32,
        now: Option<Ticks>,
        patience: Patience,
    ) -> Option<Result<Decision>> {
        let now = || now.unwrap_or_else(|| self.clock.now());
        self.decide(key, cost, now, patience, |outcome| {
            self.decision_of(outcome)
        })
    }

    fn peek(&self, key: Fingerprint, cost: u32, patience: Patience) -> Option<Result<Decision>> {
        let mut shard = self.lock_with_room(key, patience)?;
        let now = shard.at(self.clock.now());
        if let Err(error) = fits(&shard.rule, cost) {
            return Some(Err(error));
        }
        let turn = self.turn(&mut shard, key, cost, now, patience)?;
        let state = self.live(&shard, key, cost, now, patience)?;
        let allowed = turn.is_none() && shard.rule.wait(&state, now, cost) == Some(0);
        Some(Ok(self.decision_of(&Outcome {
            rule: &shard.rule,
            state: &state,
            allowed,
            now,
            cost,
            turn,
        })))
    }

    fn admit_many(
        &self,
        keys: &[Fingerprint],
        cost: u32,
        answers: &mut Vec<bool>,
        patience: Patience,
    ) -> Option<Result<()>> {
        for chunk in keys[answers.len()..].chunks(KEYS_PER_CLOCK_READ) {
            let now = self.clock.now();
            for &key in chunk {
                match self.decide(key, cost, || now, patience, |outcome| outcome.allowed)? {
                    Ok(allowed) => answers.push(allowed),
                    Err(error) if answers.is_empty() => return Some(Err(error)),
                    // The quota has shrunk since: what was spent keeps its answer.
                    Err(_) => answers.push(false),
                }
            }
        }
        Some(Ok(()))
    }

    fn refund(&self, key: Fingerprint, cost: u32, patience: Patience) -> Option<Result<()>> {
        let mut shard = self.lock(key, patience)?;
        let now = shard.at(self.clock.now());
        if let Err(error) = fits(&shard.rule, cost) {
            return Some(Err(error));
        }
        if let Some((rule, state)) = shard.find_mut(key) {
            rule.refund(state, now, cost);
            let idle_at = now + rule.reset_after(state, now);
            shard.expect_idle(key, idle_at);
            self.cell(key).publish(&shard);
        }
        let head = shard.disturb(key);
        drop(shard);
        self.ring(head);
        self.offer_room();
        Some(Ok(()))
    }

    fn reset(&self, key: Fingerprint, patience: Patience) -> Option<()> {
        let mut shard = self.lock(key, patience)?;
        self.give_back(usize::from(shard.remove(key)));
        let head = shard.disturb(key);
        drop(shard);
        self.ring(head);
        self.offer_room();
        Some(())
    }

    fn clear(&self) {
        for cell in &self.cells {
            let mut shard = locked_now(&cell.shard);
            let table = shard.take_table();
            cell.publish(&shard);
            drop(shard);
            self.give_back(table.len());
        }
        {
            // Under a shard's lock, so that the quota is not changed in between.
            let shard = locked_now(&self.cells[0].shard);
            *locked_now(&self.shared) = shard.rule.fresh();
        }
        self.wake_heads();
    }

    fn statistics(&self, patience: Patience) -> Option<Statistics> {
        let mut sum = Statistics::default();
        for cell in &self.cells {
            let shard = locked(&cell.shard, patience)?;
            sum.admitted += shard.admitted;
            sum.refused += shard.refused;
            sum.evicted += shard.evicted;
        }
        sum.keys = self.len();
        sum.overflowed = self.overflowed.load(Relaxed);
        Some(sum)
    }

    fn admit_at_once(
        &self,
        key: Fingerprint,
        cost: u32,
        patience: Patience,
    ) -> Option<Result<Option<Decision>>> {
        self.admit_first(key, cost, patience)
    }

    fn join(
        &self,
        key: Fingerprint,
        cost: u32,
        timeout: Option<Ticks>,
        wake: &Arc<dyn Wake>,
        patience: Patience,
    ) -> Option<Result<Joined>> {
        self.join_queue(key, cost, timeout, wake, patience)
    }

    fn poll(&self, key: Fingerprint, ticket: u64, patience: Patience) -> Option<Result<Polled>> {
        self.poll_queue(key, ticket, patience)
    }

    fn leave(&self, key: Fingerprint, ticket: u64, patience: Patience) -> Option<()> {
        self.leave_queue(key, ticket, patience)
    }
}
