//! Look under the lock, let the others look, and spend.

use super::{Agree, Halt, JointResult, Need, Part, Purpose};
use crate::algorithm::Algorithm;
use crate::clock::Ticks;
use crate::decision::Decision;
use crate::error;
use crate::quota::Quota;
use crate::store::Ask;
use crate::store::fork::locked;
use crate::store::memory::decide::call::Call;
use crate::store::memory::quota::others::Index;
use crate::store::memory::shard::kept::Kept;
use crate::store::memory::shard::{STEPS_ON_INSERT, Shard};
use crate::store::memory::{MemoryStore, Overflow, Relaxed};

/// What came of a part.
pub(super) struct Outcome {
    pub(super) decision: Decision,
    pub(super) spent: bool,
    /// Whether it was decided by what keys share for which there is no room.
    pub(super) is_overflow: bool,
}

/// A part whose shard is locked.
pub(super) struct Locked<'a, A: Algorithm> {
    pub(super) store: &'a MemoryStore<A>,
    pub(super) part: &'a Part<'a>,
    pub(super) call: Call<'a>,
    pub(super) now: Ticks,
}

impl<A: Algorithm> MemoryStore<A> {
    /// [`JointStore::take_part`](super::JointStore::take_part).
    #[inline]
    pub(super) fn look_and_spend(
        &self,
        part: &Part<'_>,
        agree: Agree<'_>,
    ) -> JointResult<Decision> {
        if !self.is_aligned() {
            return Err(Halt::again(Need::Alignment));
        }
        if let Some(queuing) = part.queuing {
            return self.take_part_of_waiter(part, queuing, agree);
        }
        let mut shard = locked(
            &self.lock_of(part.ask.key, part.patience)?.shard,
            part.patience,
        )?;
        let now = shard.at(part.now.unwrap_or_else(|| self.clock.now()));
        let call = Locked::call(&shard, part, part.ask.quota)?;
        let locked = Locked {
            store: self,
            part,
            call,
            now,
        };
        if part.purpose == Purpose::Look {
            return locked.peek(&mut shard, agree);
        }
        self.tend(&mut shard, now);
        let outcome = locked.decide(&mut shard, agree)?;
        Ok(locked.count_plain(&mut shard, &outcome))
    }
}

impl<'a, A: Algorithm> Locked<'a, A> {
    /// The call of a part that is decided by this quota.
    #[inline]
    pub(super) fn call(
        shard: &Shard<A>,
        part: &Part<'_>,
        quota: Option<&'a Quota>,
    ) -> error::Result<Call<'a>> {
        let limit = shard.limit(quota);
        let mut call = Call::from(Ask { quota, ..part.ask });
        if part.is_shadow {
            call.cost = call.cost.min(limit);
        } else {
            error::fits(call.cost, limit)?;
        }
        Ok(call)
    }

    #[inline]
    pub(super) fn decide(&self, shard: &mut Shard<A>, agree: Agree<'_>) -> JointResult<Outcome> {
        let mut call = self.call;
        if shard.has_waiters(call.key) && self.is_behind(shard)? {
            return self.refuse_behind(shard, agree);
        }
        if !self.part.may_have_room && self.store.lacks_room(shard, &mut call) {
            return self.decide_overflow(shard, agree);
        }
        match shard.kept(call.key, call.quota) {
            Kept::ByIt(algorithm, state) => self.decide_from(algorithm, state, call.cost, agree),
            Kept::ByAnother => self.decide_by_another(shard, call, agree),
            Kept::No => self.decide_newcomer(shard, call, agree),
        }
    }

    #[inline]
    fn decide_from(
        &self,
        algorithm: &A,
        state: &mut A::State,
        cost: u32,
        agree: Agree<'_>,
    ) -> JointResult<Outcome> {
        let fits = self.fits(algorithm, state, cost);
        let spent = agree(fits)? && fits;
        if spent {
            algorithm.spend(state, self.now, cost);
        }
        Ok(self.told(algorithm, state, cost, (fits, spent)))
    }

    /// One who only watches may ask for more than the limit, which never fits.
    #[inline]
    fn fits(&self, algorithm: &A, state: &A::State, cost: u32) -> bool {
        let is_hopeless = self.call.cost < self.part.ask.cost;
        !is_hopeless && algorithm.fits(state, self.now, cost)
    }

    #[inline]
    fn told(
        &self,
        algorithm: &A,
        state: &A::State,
        cost: u32,
        (fits, spent): (bool, bool),
    ) -> Outcome {
        Outcome {
            decision: self.store.decision(algorithm, state, self.now, cost, fits),
            spent,
            is_overflow: false,
        }
    }

    /// For a key that is kept by another quota than it is asked for.
    #[inline(never)]
    fn decide_by_another(
        &self,
        shard: &mut Shard<A>,
        call: Call<'_>,
        agree: Agree<'_>,
    ) -> JointResult<Outcome> {
        let now = self.now;
        if shard.change_quota(call.key, call.quota, now)?
            && let Some((algorithm, state)) = shard.find_mut(call.key)
        {
            return self.decide_from(algorithm, state, call.cost, agree);
        }
        Err(Halt::again(Need::Room(now)))
    }

    /// For a key that is not held. Its room is taken before the others are asked: nobody else's spend
    /// could be undone.
    #[inline(never)]
    fn decide_newcomer(
        &self,
        shard: &mut Shard<A>,
        call: Call<'_>,
        agree: Agree<'_>,
    ) -> JointResult<Outcome> {
        let (store, now) = (self.store, self.now);
        store.release_keys(shard.sweep(STEPS_ON_INSERT, now));
        let algorithm = shard.asked(call.quota, now)?.algorithm;
        let mut state = algorithm.fresh();
        let fits = self.fits(&algorithm, &state, call.cost);
        if !fits || self.part.purpose == Purpose::Count {
            agree(fits)?;
            return Ok(self.told(&algorithm, &state, call.cost, (fits, false)));
        }
        let index = self.take_room(shard, call)?;
        let agreed = agree(true);
        if !matches!(agreed, Ok(true)) {
            shard.leave_quota(index);
            store.release_keys(1);
            agreed?;
            return Ok(self.told(&algorithm, &state, call.cost, (true, false)));
        }
        algorithm.spend(&mut state, now, call.cost);
        let outcome = self.told(&algorithm, &state, call.cost, (true, true));
        let idle_at = now.saturating_add(algorithm.reset_after(&state, now));
        shard.insert(call.key, state, index, idle_at);
        store.publish(call.key, shard);
        Ok(outcome)
    }

    fn take_room(&self, shard: &mut Shard<A>, call: Call<'_>) -> JointResult<Index> {
        if let Some(index) = shard.take_quota(call.quota, self.now)? {
            if self.store.reserve_key() {
                return Ok(index);
            }
            shard.leave_quota(index);
        }
        Err(Halt::again(Need::Room(self.now)))
    }

    /// For a key that there is no room for. What such keys share is locked after the shard, and before
    /// those of the stores that follow.
    #[cold]
    #[inline(never)]
    fn decide_overflow(&self, shard: &Shard<A>, agree: Agree<'_>) -> JointResult<Outcome> {
        let (store, algorithm) = (self.store, &shard.algorithm);
        let cost = self.call.cost.min(algorithm.limit()); // which a quota of its own may exceed
        let mut common = locked(&store.overflow_state, self.part.patience)?;
        let latest = store.overflow_latest.fetch_max(self.now, Relaxed);
        let mut unseen = algorithm.fresh();
        let state = match store.overflow {
            Overflow::Share => &mut *common,
            Overflow::Admit => &mut unseen,
        };
        let at_latest = Self {
            now: self.now.max(latest),
            ..*self
        };
        let admits = store.overflow == Overflow::Admit;
        let fits = admits || at_latest.fits(algorithm, state, cost);
        let spent = agree(fits)? && fits;
        if spent {
            algorithm.spend(state, at_latest.now, cost);
            store.overflow_spends.fetch_add(1, Relaxed);
        }
        store.overflowed.fetch_add(1, Relaxed);
        Ok(Outcome {
            is_overflow: true,
            ..at_latest.told(algorithm, state, cost, (fits, spent))
        })
    }

    /// For a call that only looks.
    #[inline(never)]
    pub(super) fn peek(&self, shard: &mut Shard<A>, agree: Agree<'_>) -> JointResult<Decision> {
        let key = self.call.key;
        let is_new = || shard.find(key).is_none() && !shard.has_queue(key);
        if self.part.may_have_room && self.store.is_full() && is_new() {
            return Err(Halt::again(Need::Room(self.now)));
        }
        if shard.has_joint_queue(key) && self.is_behind_applicants(shard)? {
            return Ok(self.refuse_behind(shard, agree)?.decision);
        }
        let look = self
            .store
            .look(shard, self.ask(), self.now, self.part.patience)?;
        let is_hopeless = self.call.cost < self.part.ask.cost;
        let decision = Decision {
            allowed: look.decision.allowed && !is_hopeless,
            ..look.decision
        };
        agree(decision.allowed)?;
        Ok(decision)
    }

    pub(super) fn ask(&self) -> Ask<'_> {
        Ask {
            cost: self.call.cost,
            quota: self.call.quota,
            ..self.part.ask
        }
    }

    /// For a call that nobody has planned.
    #[inline]
    pub(super) fn count_plain(&self, shard: &mut Shard<A>, outcome: &Outcome) -> Decision {
        if outcome.spent {
            shard.forget_joint_plan(self.call.key);
        }
        self.count(shard, outcome)
    }

    #[inline]
    pub(super) fn count(&self, shard: &mut Shard<A>, outcome: &Outcome) -> Decision {
        let decision = outcome.decision;
        if outcome.spent {
            shard.count(true);
            return self
                .store
                .signed(decision, self.call.key, shard, outcome.is_overflow);
        }
        match (decision.allowed, self.part.is_shadow) {
            (true, _) => {}
            (false, true) => shard.would_have_refused += 1,
            (false, false) => shard.count(false),
        }
        decision
    }
}
