//! The shards of a store. Each is made when its first key comes, so that a limit whose keys hardly ever
//! come takes 2 kB and not 40: a policy may have a thousand.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use super::fingerprint::Fingerprint;
use super::quota::others::InUse;
use super::shard::Shard;
use super::{locked, locked_now};
use crate::algorithm::Algorithm;
use crate::clock::Ticks;
use crate::store::{Patience, Result};

/// One table stalls for 39 ms when it grows at a million keys, 64 shards for 0.6 ms.
pub(super) const SHARDS: usize = 64;

/// A lock with its shard, alone on its cache lines.
#[repr(align(128))]
pub(super) struct ShardLock<A: Algorithm> {
    pub(super) shard: Mutex<Shard<A>>,
    /// The shard's `idle_from`, to be read without the lock; written under it.
    pub(super) idle_from: AtomicU64,
}

/// All of a store's.
pub(super) struct Shards<A: Algorithm> {
    made: [OnceLock<Box<ShardLock<A>>>; SHARDS],
    pattern: Mutex<Pattern<A>>,
}

/// What the next shard is made like. Its lock is held by whoever makes one or changes all, and is taken
/// before those of the store's shards.
pub(super) struct Pattern<A: Algorithm> {
    pub(super) algorithm: A,
    pub(super) epoch: u32,
    /// The time of the last change of all.
    pub(super) latest: Ticks,
    in_use: Arc<InUse>,
}

/// The shards that there are, all locked, and none is made meanwhile.
pub(super) struct AllLocked<'a, A: Algorithm> {
    pub(super) shards: Vec<(&'a ShardLock<A>, MutexGuard<'a, Shard<A>>)>,
    pub(super) pattern: MutexGuard<'a, Pattern<A>>,
}

impl<A: Algorithm> ShardLock<A> {
    pub(super) fn publish(&self, shard: &Shard<A>) {
        self.idle_from.store(shard.idle_from(), Relaxed);
    }

    /// Whether the shard may hold a key that is idle at `now`.
    pub(super) fn may_be_idle(&self, now: Ticks) -> bool {
        self.idle_from.load(Relaxed) <= now
    }
}

/// In which shard a key is.
pub(super) fn place_of(key: Fingerprint) -> usize {
    key.shard() as usize % SHARDS
}

impl<A: Algorithm> Shards<A> {
    pub(super) fn new(algorithm: A) -> Self {
        Self {
            made: [const { OnceLock::new() }; SHARDS],
            pattern: Mutex::new(Pattern {
                algorithm,
                epoch: 0,
                latest: 0,
                in_use: Arc::default(),
            }),
        }
    }

    /// The shard at a place, if it is made.
    #[inline]
    pub(super) fn at(&self, place: usize) -> Option<&ShardLock<A>> {
        self.made[place].get().map(|made| &**made)
    }

    /// The same, which is made if need be.
    #[inline]
    pub(super) fn make_at(&self, place: usize, patience: Patience) -> Result<&ShardLock<A>> {
        match self.at(place) {
            Some(lock) => Ok(lock),
            None => self.make(place, patience),
        }
    }

    #[cold]
    #[inline(never)]
    fn make(&self, place: usize, patience: Patience) -> Result<&ShardLock<A>> {
        let pattern = locked(&self.pattern, patience)?;
        // Under that lock, so that a fork never finds it half made.
        Ok(self.made[place].get_or_init(|| Box::new(pattern.shard_lock())))
    }

    /// Those that are made.
    pub(super) fn made(&self) -> impl Iterator<Item = &ShardLock<A>> {
        self.made.iter().filter_map(|made| Some(&**made.get()?))
    }

    pub(super) fn lock_all(&self) -> AllLocked<'_, A> {
        let pattern = locked_now(&self.pattern);
        let locked = self.made().map(|lock| (lock, locked_now(&lock.shard)));
        AllLocked {
            shards: locked.collect(),
            pattern,
        }
    }

    /// What the next one is made like, which does not change while it is locked.
    pub(super) fn pattern(&self) -> MutexGuard<'_, Pattern<A>> {
        locked_now(&self.pattern)
    }
}

impl<A: Algorithm> Pattern<A> {
    fn shard_lock(&self) -> ShardLock<A> {
        let mut shard = Shard::new(self.algorithm.clone(), Arc::clone(&self.in_use));
        shard.epoch = self.epoch;
        shard.at(self.latest);
        ShardLock {
            shard: Mutex::new(shard),
            idle_from: AtomicU64::new(Ticks::MAX),
        }
    }

    /// How many quotas are in use beside the store's own.
    #[cfg(test)]
    pub(super) fn quotas_in_use(&self) -> usize {
        self.in_use.len()
    }
}
