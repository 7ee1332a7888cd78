//! Permits, which are held in this process: the verbs that no other algorithm has.

use crate::algorithm::{Algorithm, PermitState as State, Permits};
use crate::store::memory::decide::Answer;
use crate::store::memory::{Ask, Fingerprint, MemoryStore, Patience, Result, Ticks};

impl MemoryStore<Permits> {
    /// Take a permit if one is free and nobody waits for it: the time at which it was taken.
    ///
    /// # Errors
    /// [`Stop::Locked`](crate::store::Stop::Locked).
    pub fn take(&self, key: Fingerprint, patience: Patience) -> Result<Option<Ticks>> {
        let now = || self.clock.now();
        let mut decided = self.decide(Ask::new(key, 1).into(), now, patience, |_, _, _, _| ())?;
        let taken_at = (decided.answer == Answer::Allowed).then_some(decided.now);
        decided.shard.count(taken_at.is_some());
        Ok(taken_at)
    }

    /// Whether a permit that was taken then, and not given back, is held: it was not forgotten, and
    /// this is the process in which it was taken.
    ///
    /// # Errors
    /// [`Stop::Locked`](crate::store::Stop::Locked).
    pub fn holds(&self, key: Fingerprint, taken_at: Ticks, patience: Patience) -> Result<bool> {
        self.view(key, patience, |algorithm, state, _| {
            algorithm.counts(state, taken_at)
        })
    }

    /// How many permits of `key` are held, and how many callers wait for one. A free permit belongs
    /// to the first waiter, who is about to take it.
    ///
    /// # Errors
    /// [`Stop::Locked`](crate::store::Stop::Locked).
    pub fn in_use(&self, key: Fingerprint, patience: Patience) -> Result<(u32, u32)> {
        let shard = self.lock(key, patience)?;
        let held = shard.find(key).map_or(0, State::held);
        let queue = shard.look_at_queue(key);
        let waiting = queue.map_or(0, |queue| queue.waiters.len() as u32);
        let free = shard.algorithm.limit().saturating_sub(held);
        let taking = waiting.min(free);
        Ok((held + taking, waiting - taking))
    }
}
