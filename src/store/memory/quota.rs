//! The quota of a store, and how it is changed: by its user, or because the wall clock stepped.

pub(super) mod others;

use super::shards::AllLocked;
use super::{Algorithm, MemoryStore, Patience, Relaxed, Result, Stop, locked_now};

impl<A: Algorithm> MemoryStore<A> {
    /// Change the quota of every key at once. What was spent stays spent.
    pub fn set_algorithm(&self, algorithm: A) {
        self.replace_algorithm(self.shards.lock_all(), algorithm);
    }

    /// Lay aligned windows by the wall clock of now. What was spent in a window that is running
    /// stays spent in the one that is running by the new time.
    #[cold]
    pub(super) fn realign(&self, patience: Patience) -> Result<()> {
        if patience == Patience::Try {
            return Err(Stop::Locked); // there are many locks to wait for
        }
        let all = self.shards.lock_all();
        if self.clock.offset() != self.offset.load(Relaxed) {
            let algorithm = all.pattern.algorithm.clone();
            self.replace_algorithm(all, algorithm);
        }
        Ok(())
    }

    /// `algorithm` continues what the shards were locked with, while nothing can be spent.
    fn replace_algorithm(&self, mut all: AllLocked<'_, A>, algorithm: A) {
        let AllLocked { shards, pattern } = &mut all;
        let now = shards
            .iter_mut()
            .fold(self.clock.now(), |now, (_, shard)| now.max(shard.at(now)));
        let (offset, before) = (self.clock.offset(), &pattern.algorithm);
        let algorithm = algorithm.succeeding(before, now).aligned(offset);
        algorithm.adopt(before, &mut locked_now(&self.overflow_state), now);
        let are_void = u32::from(!algorithm.keeps_receipts(before));
        for (lock, shard) in shards {
            shard.set_algorithm(&algorithm, now);
            shard.epoch += are_void;
            lock.publish(shard);
        }
        self.offset.store(offset, Relaxed);
        self.limit.store(algorithm.limit(), Relaxed);
        self.window.store(algorithm.window(), Relaxed);
        pattern.epoch += are_void;
        pattern.latest = pattern.latest.max(now);
        pattern.algorithm = algorithm;
        drop(all);
        self.wake_heads();
    }
}
