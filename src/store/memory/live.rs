//! The state that a decision would start from, for those who only look.

use std::ops::Deref;
use std::sync::MutexGuard;

use super::{
    Algorithm, Fingerprint, MemoryStore, Overflow, Patience, Relaxed, Shard, Ticks, locked,
};

/// A state that is looked at where it is: a log may be large.
pub(super) enum Live<'a, S> {
    /// The key's own.
    Held(&'a S),
    /// The quota that keys share for which there is no room.
    Shared(MutexGuard<'a, S>),
    /// An unseen key's.
    Fresh(S),
}

impl<S> Deref for Live<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        match self {
            Self::Held(state) => state,
            Self::Shared(state) => state,
            Self::Fresh(state) => state,
        }
    }
}

impl<A: Algorithm> MemoryStore<A> {
    /// Look at a key's state.
    pub fn view<R>(
        &self,
        key: Fingerprint,
        patience: Patience,
        look: impl FnOnce(&A, &A::State, Ticks) -> R,
    ) -> Option<R> {
        let mut shard = self.lock_with_room(key, patience)?;
        let now = shard.at(self.clock.now());
        let state = self.live(&shard, key, 1, now, patience)?;
        Some(look(&shard.rule, &state, now))
    }

    /// Lock the shard of `key`; if it is new and the store seems full, idle keys go first, as
    /// they would for one who spends.
    pub(super) fn lock_with_room(
        &self,
        key: Fingerprint,
        patience: Patience,
    ) -> Option<MutexGuard<'_, Shard<A>>> {
        let shard = self.lock(key, patience)?;
        if !self.is_full() || shard.find(key).is_some() || shard.has_queue(key) {
            return Some(shard);
        }
        drop(shard);
        self.reclaim(self.clock.now(), patience)?;
        self.lock(key, patience)
    }

    /// What a decision for `key` would start from. `None`: a lock was held.
    pub(super) fn live<'a>(
        &'a self,
        shard: &'a Shard<A>,
        key: Fingerprint,
        cost: u32,
        now: Ticks,
        patience: Patience,
    ) -> Option<Live<'a, A::State>> {
        match shard.find(key) {
            Some(state) => Some(Live::Held(state)),
            None => self.live_of_newcomer(&shard.rule, cost, now, patience),
        }
    }

    /// The same for a key that is not held.
    pub(super) fn live_of_newcomer<'a>(
        &'a self,
        rule: &A,
        cost: u32,
        now: Ticks,
        patience: Patience,
    ) -> Option<Live<'a, A::State>> {
        let fresh = rule.fresh();
        // Whom a quota of its own would refuse needs no room, and the shared one is not asked.
        let overflows = self.is_full() && rule.wait(&fresh, now, cost) == Some(0);
        if overflows && self.overflow == Overflow::Share {
            return Some(Live::Shared(locked(&self.shared, patience)?));
        }
        Some(Live::Fresh(fresh))
    }

    /// Whether as many keys are held as may be, idle or not.
    pub(super) fn is_full(&self) -> bool {
        self.keys.load(Relaxed) >= self.max_keys
    }
}
