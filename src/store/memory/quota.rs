//! The quota of a store, and how it is changed: by its user, or because the wall clock stepped.

pub(super) mod others;

use std::sync::MutexGuard;

use super::{Algorithm, MemoryStore, Patience, Relaxed, Result, Shard, Stop, locked_now};

impl<A: Algorithm> MemoryStore<A> {
    /// Change the quota of every key at once. What was spent stays spent.
    pub fn set_algorithm(&self, algorithm: A) {
        self.replace_algorithm(self.lock_all(), algorithm);
    }

    /// Lay aligned windows by the wall clock of now. What was spent in a window that is running
    /// stays spent in the one that is running by the new time.
    #[cold]
    pub(super) fn realign(&self, patience: Patience) -> Result<()> {
        if patience == Patience::Try {
            return Err(Stop::Locked); // there are many locks to wait for
        }
        let shards = self.lock_all();
        if self.clock.offset() != self.offset.load(Relaxed) {
            let algorithm = shards[0].algorithm.clone();
            self.replace_algorithm(shards, algorithm);
        }
        Ok(())
    }

    /// `algorithm` continues what the shards were locked with, while nothing can be spent.
    fn replace_algorithm(&self, mut shards: Vec<MutexGuard<'_, Shard<A>>>, algorithm: A) {
        let now = shards
            .iter_mut()
            .fold(self.clock.now(), |now, shard| now.max(shard.at(now)));
        let offset = self.clock.offset();
        let algorithm = algorithm
            .succeeding(&shards[0].algorithm, now)
            .aligned(offset);
        algorithm.adopt(
            &shards[0].algorithm,
            &mut locked_now(&self.overflow_state),
            now,
        );
        let are_void = !algorithm.keeps_receipts(&shards[0].algorithm);
        for (lock, shard) in self.locks.iter().zip(&mut shards) {
            shard.set_algorithm(&algorithm, now);
            shard.epoch += u32::from(are_void);
            lock.publish(shard);
        }
        self.offset.store(offset, Relaxed);
        self.limit.store(algorithm.limit(), Relaxed);
        self.window.store(algorithm.window(), Relaxed);
        drop(shards);
        self.wake_heads();
    }
}
