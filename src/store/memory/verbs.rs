//! The verbs that answer at once.

mod batch;
mod held;
mod waiting;

use super::decide::Answer;
use super::{
    Algorithm, Ask, Clock, Decision, Fingerprint, MemoryStore, Patience, Relaxed, Result, Shard,
    Statistics, Store, Ticks, locked, locked_now,
};
use crate::algorithm::AnyAlgorithm;
use crate::decision::Receipt;
use crate::error;
use crate::quota::Quota;

impl<A: Algorithm> MemoryStore<A> {
    /// Give units back. If it is known when they were spent, they must not have been forgotten
    /// since.
    ///
    /// # Errors
    /// [`Stop`](super::Stop).
    pub fn release(
        &self,
        key: Fingerprint,
        units: u32,
        spent_at: Option<Ticks>,
        patience: Patience,
    ) -> Result<()> {
        let mut fits = Ok(());
        self.change(key, patience, |shard, now| {
            fits = error::fits(units, shard.most());
            if fits.is_err() {
                return;
            }
            if let Some((algorithm, state)) = shard.find_mut(key)
                && spent_at.is_none_or(|at| algorithm.counts(state, at))
            {
                algorithm.refund(state, now, units);
            }
        })?;
        Ok(fits?)
    }

    /// Take something off what a key has spent, and tell those who wait for it.
    pub(super) fn change(
        &self,
        key: Fingerprint,
        patience: Patience,
        change: impl FnOnce(&mut Shard<A>, Ticks),
    ) -> Result<()> {
        let mut shard = self.lock(key, patience)?;
        let now = shard.at(self.clock.now());
        let before = shard.missing(key, now);
        change(&mut shard, now);
        if before > 0 {
            let back = before.saturating_sub(shard.missing(key, now));
            shard.note_return(key, before, back, now);
        }
        if let Some((algorithm, state)) = shard.find_mut(key) {
            let left = algorithm.reset_after(state, now);
            if left == 0 {
                self.release_keys(usize::from(shard.drop_idle(key)));
            } else {
                shard.expect_idle(key, now.saturating_add(left));
                self.publish(key, &shard);
            }
        }
        let head = shard.disturb(key);
        drop(shard);
        self.wake(head);
        self.offer_room();
        Ok(())
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

    fn examine(&self, ask: Ask<'_>, patience: Patience) -> Result<u32> {
        let mut shard = self.lock(ask.key, patience)?;
        let now = shard.at(self.clock.now());
        let limit = shard.asked(ask.quota, now)?.algorithm.limit();
        error::fits(ask.cost, limit)?;
        Ok(limit)
    }

    fn is_allowed(&self, ask: Ask<'_>, now: Option<Ticks>, patience: Patience) -> Result<bool> {
        let now = || now.unwrap_or_else(|| self.clock.now());
        let mut decided = self.decide(ask.into(), now, patience, |_, _, _, _| ())?;
        let allowed = decided.answer == Answer::Allowed;
        decided.shard.count(allowed);
        Ok(allowed)
    }

    fn check(&self, ask: Ask<'_>, now: Option<Ticks>, patience: Patience) -> Result<Decision> {
        let now = || now.unwrap_or_else(|| self.clock.now());
        let mut told = None;
        let tell = |algorithm: &A, state: &A::State, now, allowed| {
            told = Some(self.decision(algorithm, state, now, ask.cost, allowed));
        };
        let mut decided = self.decide(ask.into(), now, patience, tell)?;
        let decision = if let Some(told) = told {
            told
        } else {
            let look = self.look(&mut decided.shard, ask, decided.now, patience)?;
            look.decision
        };
        decided.shard.count(decision.allowed);
        Ok(self.signed(decision, ask.key, &mut decided.shard, decided.is_overflow))
    }

    fn peek(&self, ask: Ask<'_>, patience: Patience) -> Result<Decision> {
        let mut shard = self.lock_with_room(ask.key, patience)?;
        let now = shard.at(self.clock.now());
        error::fits(ask.cost, shard.limit(ask.quota))?;
        let look = self.look(&mut shard, ask, now, patience)?;
        Ok(look.decision)
    }

    fn first_free_at(&self, key: Fingerprint, patience: Patience) -> Result<Ticks> {
        self.view(key, patience, |algorithm, state, now| {
            let at = algorithm.first_free_at(state, now);
            at.unwrap_or(now.saturating_add(algorithm.window()))
        })
    }

    fn admit_many(
        &self,
        keys: &[Fingerprint],
        cost: u32,
        quota: Option<&Quota>,
        answers: &mut [Option<bool>],
        patience: Patience,
    ) -> Result<()> {
        self.decide_many(keys, (cost, quota), answers, patience)
    }

    fn refund(&self, key: Fingerprint, cost: u32, patience: Patience) -> Result<()> {
        self.release(key, cost, None, patience)
    }

    fn refund_spend(
        &self,
        key: Fingerprint,
        receipt: &Receipt,
        units: u32,
        patience: Patience,
    ) -> Result<()> {
        self.give_back(key, receipt, units, patience)
    }

    fn is_mine(&self, receipt: &Receipt) -> bool {
        receipt.store == self.number
    }

    fn reset(&self, key: Fingerprint, patience: Patience) -> Result<()> {
        let mut shard = self.lock(key, patience)?;
        let (number, was_held) = (shard.admitted, shard.forget(key));
        shard.forgotten.add(key, number); // a refund may have emptied a key that is not held
        self.release_keys(usize::from(was_held));
        let head = shard.disturb(key);
        drop(shard);
        self.wake(head);
        self.offer_room();
        Ok(())
    }

    fn clear(&self) {
        for lock in self.shards.made() {
            let mut shard = locked_now(&lock.shard);
            let table = shard.take_table();
            let number = shard.admitted;
            shard.forgotten.add_all(number);
            lock.publish(&shard);
            drop(shard);
            self.release_keys(table.len());
        }
        {
            // Under this lock, so that the quota is not changed in between.
            let pattern = self.shards.pattern();
            *locked_now(&self.overflow_state) = pattern.algorithm.fresh();
        }
        self.wake_heads();
    }

    fn set_quota(&self, quota: AnyAlgorithm) -> bool {
        quota
            .into_one()
            .map(|algorithm| self.set_algorithm(algorithm))
            .is_some()
    }

    fn statistics(&self, patience: Patience) -> Result<Statistics> {
        let mut sum = Statistics::default();
        for lock in self.shards.made() {
            let shard = locked(&lock.shard, patience)?;
            sum.admitted += shard.admitted - shard.unasked;
            sum.refused += shard.refused;
            sum.would_have_refused += shard.would_have_refused;
            sum.evicted += shard.evicted;
        }
        sum.keys = self.len();
        sum.overflowed = self.overflowed.load(Relaxed);
        sum.defaulted = self.defaulted.load(Relaxed);
        Ok(sum)
    }
}
