//! What a call would be told, for those who only look, and for those whom others wait before.

use std::ops::Deref;
use std::sync::MutexGuard;

use crate::store::memory::shard::kept::Asked;
use crate::store::memory::{
    Algorithm, Ask, Decision, Fingerprint, MemoryStore, Overflow, Patience, Relaxed, Result, Shard,
    Ticks, locked,
};

/// A state that is looked at where it is: a log may be large.
pub(in crate::store::memory) enum Live<'a, S> {
    /// The key's own.
    Held(&'a S),
    /// The quota that keys share for which there is no room.
    Overflow(MutexGuard<'a, S>),
    /// An unseen key's, or its own as it is under another quota.
    Fresh(S),
}

impl<S> Live<'_, S> {
    /// The algorithm that decides from it: what keys share is the store's own.
    pub(in crate::store::memory) fn algorithm<'b, A>(&self, own: &'b A, asked: &'b A) -> &'b A {
        match self {
            Self::Overflow(_) => own,
            Self::Held(_) | Self::Fresh(_) => asked,
        }
    }
}

impl<S> Deref for Live<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        match self {
            Self::Held(state) => state,
            Self::Overflow(state) => state,
            Self::Fresh(state) => state,
        }
    }
}

/// What a call would be told now.
pub(in crate::store::memory) struct Look {
    pub(in crate::store::memory) decision: Decision,
    /// When it would be admitted if nobody else came; `None`: nobody knows.
    pub(in crate::store::memory) admit_at: Option<Ticks>,
}

impl<A: Algorithm> MemoryStore<A> {
    /// Look at a call, behind all who wait for its key.
    #[inline(never)]
    pub(in crate::store::memory) fn look(
        &self,
        shard: &mut Shard<A>,
        ask: Ask<'_>,
        now: Ticks,
        patience: Patience,
    ) -> Result<Look> {
        let asked = shard.asked(ask.quota, now)?;
        let behind = self.admit_at(shard, ask, &asked, now, patience)?;
        let state = self.live(shard, ask.key, &asked, ask.cost, now, patience)?;
        let algorithm = state.algorithm(&shard.algorithm, &asked.algorithm);
        let cost = ask.cost.min(algorithm.limit());
        let wait = algorithm.wait(&state, now, cost);
        let allowed = behind.is_none() && wait == Some(0);
        let decision = self.decision(algorithm, &state, now, cost, allowed);
        Ok(match behind {
            None => Look {
                decision,
                admit_at: wait.map(|wait| now.saturating_add(wait)),
            },
            Some(at) => Look {
                decision: Decision {
                    remaining: 0,
                    retry_after: match at {
                        Ticks::MAX => decision.retry_after,
                        at => at.saturating_sub(now).max(1),
                    },
                    ..decision
                },
                admit_at: (at < Ticks::MAX).then_some(at),
            },
        })
    }

    /// Look at a key's state.
    pub(in crate::store::memory) fn view<R>(
        &self,
        key: Fingerprint,
        patience: Patience,
        view: impl FnOnce(&A, &A::State, Ticks) -> R,
    ) -> Result<R> {
        let mut shard = self.lock_with_room(key, patience)?;
        let now = shard.at(self.clock.now());
        if let Some((algorithm, state)) = shard.find_with(key) {
            return Ok(view(algorithm, state, now));
        }
        let state = self.live_of_newcomer(&shard.algorithm, 1, now, patience)?;
        Ok(view(&shard.algorithm, &state, now))
    }

    /// Lock the shard of `key`; if it is new and the store seems full, idle keys go first, as
    /// they would for one who spends.
    pub(in crate::store::memory) fn lock_with_room(
        &self,
        key: Fingerprint,
        patience: Patience,
    ) -> Result<MutexGuard<'_, Shard<A>>> {
        let shard = self.lock(key, patience)?;
        if !self.is_full() || shard.find(key).is_some() || shard.has_queue(key) {
            return Ok(shard);
        }
        drop(shard);
        self.reclaim(self.clock.now(), patience)?;
        self.lock(key, patience)
    }

    /// What a decision for `key` by that quota would start from.
    pub(in crate::store::memory) fn live<'a>(
        &'a self,
        shard: &'a Shard<A>,
        key: Fingerprint,
        asked: &Asked<A>,
        cost: u32,
        now: Ticks,
        patience: Patience,
    ) -> Result<Live<'a, A::State>> {
        if let Some(converted) = shard.converted(key, asked, now) {
            return Ok(Live::Fresh(converted));
        }
        match shard.find(key) {
            Some(state) => Ok(Live::Held(state)),
            None => self.live_of_newcomer(&asked.algorithm, cost, now, patience),
        }
    }

    /// The same for a key that is not held.
    pub(in crate::store::memory) fn live_of_newcomer<'a>(
        &'a self,
        algorithm: &A,
        cost: u32,
        now: Ticks,
        patience: Patience,
    ) -> Result<Live<'a, A::State>> {
        let fresh = algorithm.fresh();
        // A call that a quota of its own would refuse needs no room: the shared one is not asked.
        let overflows = self.is_full() && algorithm.wait(&fresh, now, cost) == Some(0);
        if overflows && self.overflow == Overflow::Share {
            return Ok(Live::Overflow(locked(&self.overflow_state, patience)?));
        }
        Ok(Live::Fresh(fresh))
    }

    /// Of what keys share for which there is no room: how often it was spent from. `None`: `key` is not
    /// one of them.
    pub(in crate::store::memory) fn shared_spends(
        &self,
        shard: &Shard<A>,
        key: Fingerprint,
    ) -> Option<u64> {
        let is_shared = self.overflow == Overflow::Share && self.is_full();
        let is_one = is_shared && shard.find(key).is_none();
        is_one.then(|| self.overflow_spends.load(Relaxed))
    }

    /// Whether as many keys are held as may be, idle or not.
    pub(in crate::store::memory) fn is_full(&self) -> bool {
        self.keys.load(Relaxed) >= self.max_keys
    }
}
