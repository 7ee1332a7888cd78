//! A store made from another one.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Algorithm, MemoryStore, Options, locked_now};

impl<A: Algorithm> MemoryStore<A> {
    /// A store with the same keys by another quota. What was spent stays spent; nobody waits.
    #[must_use]
    pub fn copied(&self, algorithm: A) -> Arc<Self> {
        let shards = self.lock_all();
        let options = Options {
            max_keys: self.max_keys,
            overflow: self.overflow,
            clock: self.clock.clone(),
        };
        let same = shards.iter().map(|shard| shard.copied()).collect();
        let (before, overflow) = (
            shards[0].algorithm.clone(),
            locked_now(&self.overflow_state).clone(),
        );
        drop(shards);
        // Without a lock: the new store tells of its own.
        let copy = Self::holding(same, &before, self.hasher.clone(), options);
        *locked_now(&copy.overflow_state) = overflow;
        let latest = self.overflow_latest.load(Relaxed);
        copy.overflow_latest.store(latest, Relaxed);
        copy.set_algorithm(algorithm);
        copy
    }
}
