//! The in-memory store: up to 64 shards, each a table under a lock, bounded as a whole.

use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};
use std::sync::{Arc, Mutex, MutexGuard};

use super::fork::{locked, locked_now};
use super::{Ask, Patience, Result, Stop, Store};
use crate::algorithm::{Algorithm, AnyAlgorithm};
use crate::clock::{Clock, ClockObserver, Ticks};
use crate::decision::Decision;
use crate::fork as forks;
use queue::{Queue, WakeUp};
use shard::Shard;
use shards::{ShardLock, Shards};

mod decide;
mod evict;
mod fingerprint;
mod fork;
mod joint;
mod queue;
mod quota;
mod receipts;
mod shard;
mod shards;
#[cfg(test)]
mod tests;
mod verbs;

pub use fingerprint::{Fingerprint, KeyHasher};
pub use joint::{
    Again, Agree, Applicant, Fate, Halt, JointResult, JointStore, Part, Purpose, Queuing, Told,
};
#[cfg(feature = "redis")]
pub(in crate::store) use receipts::forgotten::Forgotten;

/// What decides for new keys while `max_keys` live ones are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// They share one quota.
    Share,
    /// Nobody: they are admitted.
    Admit,
}

/// How a store is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most keys that are held at any time.
    pub max_keys: usize,
    /// What decides for the others.
    pub overflow: Overflow,
    /// Where the time is read.
    pub clock: Clock,
}

/// Counts since a store was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Statistics {
    /// Calls that were admitted.
    pub admitted: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Calls that would have been refused, by a limit that only watches.
    pub would_have_refused: u64,
    /// Keys that are held now.
    pub keys: usize,
    /// Keys that were dropped because they could not be told from unseen ones.
    pub evicted: u64,
    /// Calls that the overflow policy decided.
    pub overflowed: u64,
    /// Calls by another quota that the store's own decided, since too many others were in use.
    pub defaulted: u64,
}

/// A number that no other store of this process has, in memory or not.
pub(in crate::store) fn new_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// Limits many keys by one quota, within one process.
pub struct MemoryStore<A: Algorithm> {
    /// By which its receipts are known.
    number: u32,
    /// Its place in the order of locks; see [`forks::register`].
    place: AtomicU64,
    shards: Shards<A>,
    hasher: KeyHasher,
    clock: Clock,
    keys: AtomicUsize,
    max_keys: usize,
    overflow: Overflow,
    /// The quota that overflowing keys share. Locked after a shard, never before one.
    overflow_state: Mutex<A::State>,
    /// The time of its last decision, which other shards' clock reads must not undercut.
    overflow_latest: AtomicU64,
    /// How often it was spent from: what was planned by it before has to be planned anew.
    overflow_spends: AtomicU64,
    overflowed: AtomicU64,
    defaulted: AtomicU64,
    tickets: AtomicU64,
    /// The shard that is swept next.
    next_swept: AtomicUsize,
    /// The next look for room by one who waits; see [`crowd`].
    next_look: AtomicU64,
    /// Whether anyone may wait for room.
    has_crowd: AtomicBool,
    /// The clock's offset to Unix time that aligned windows are laid by.
    offset: AtomicI64,
    limit: AtomicU32,
    window: AtomicU64,
}

/// A store for `quota` in this process, whatever its algorithm.
///
/// Each algorithm has a store of its own type: a state that may be any of them is as large as the
/// largest, the log's, which would take 24 bytes more of each key of the others.
#[must_use]
pub fn in_memory(quota: AnyAlgorithm, options: Options) -> Arc<dyn JointStore> {
    match quota {
        AnyAlgorithm::FixedWindow(algorithm) => MemoryStore::new(&algorithm, options),
        AnyAlgorithm::SegmentedWindow(algorithm) => MemoryStore::new(&algorithm, options),
        AnyAlgorithm::SlidingCounter(algorithm) => MemoryStore::new(&algorithm, options),
        AnyAlgorithm::SlidingLog(algorithm) => MemoryStore::new(&algorithm, options),
        AnyAlgorithm::TokenBucket(algorithm) => MemoryStore::new(&algorithm, options),
        AnyAlgorithm::Permits(algorithm) => MemoryStore::new(&algorithm, options),
    }
}

impl<A: Algorithm> MemoryStore<A> {
    /// A store for `algorithm`, without a key.
    pub fn new(algorithm: &A, options: Options) -> Arc<Self> {
        let offset = options.clock.offset();
        let algorithm = algorithm.clone().aligned(offset);
        let store = Arc::new(Self {
            number: new_number(),
            place: AtomicU64::new(0),
            shards: Shards::new(algorithm.clone()),
            hasher: KeyHasher::of_process(),
            clock: options.clock,
            keys: AtomicUsize::new(0),
            max_keys: options.max_keys,
            overflow: options.overflow,
            overflow_state: Mutex::new(algorithm.fresh()),
            overflow_latest: AtomicU64::new(0),
            overflow_spends: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
            defaulted: AtomicU64::new(0),
            tickets: AtomicU64::new(0),
            next_swept: AtomicUsize::new(0),
            next_look: AtomicU64::new(0),
            has_crowd: AtomicBool::new(false),
            offset: AtomicI64::new(offset),
            limit: AtomicU32::new(algorithm.limit()),
            window: AtomicU64::new(algorithm.window()),
        });
        if let Clock::Manual(clock) = &store.clock {
            let weak = Arc::downgrade(&store);
            clock.watch(weak);
        }
        let weak = Arc::downgrade(&store);
        store.place.store(forks::register(weak), Relaxed);
        store
    }

    /// The lock of the shard of `key`, which is made if need be.
    #[inline]
    fn lock_of(&self, key: Fingerprint, patience: Patience) -> Result<&ShardLock<A>> {
        self.shards.make_at(shards::place_of(key), patience)
    }

    /// The same if it is made. Where it is not, no key of it was ever held.
    #[inline]
    fn made_lock_of(&self, key: Fingerprint) -> Option<&ShardLock<A>> {
        self.shards.at(shards::place_of(key))
    }

    /// Tell others what they may read of the shard of `key` without its lock, which is held.
    #[inline]
    fn publish(&self, key: Fingerprint, shard: &Shard<A>) {
        if let Some(lock) = self.made_lock_of(key) {
            lock.publish(shard);
        }
    }

    /// Whether aligned windows are laid by the wall clock of now.
    #[inline]
    fn is_aligned(&self) -> bool {
        !A::IS_ALIGNED || self.clock.offset() == self.offset.load(Relaxed)
    }

    /// Lock the shard of `key`, its algorithm aligned to the wall clock. No lock may be held.
    #[inline]
    fn lock(&self, key: Fingerprint, patience: Patience) -> Result<MutexGuard<'_, Shard<A>>> {
        if !self.is_aligned() {
            self.realign(patience)?;
        }
        locked(&self.lock_of(key, patience)?.shard, patience)
    }

    /// Wake the first waiter of every queue: what they wait for may have changed.
    fn wake_heads(&self) {
        let mut heads = Vec::new();
        for lock in self.shards.made() {
            let mut shard = locked_now(&lock.shard);
            heads.extend(shard.disturb_all());
        }
        self.wake(heads);
    }
}

impl<A: Algorithm> ClockObserver for MemoryStore<A> {
    fn moved(&self) {
        let now = self.clock.now();
        let mut concerned: Vec<WakeUp> = Vec::new();
        for lock in self.shards.made() {
            let shard = locked_now(&lock.shard);
            concerned.extend(shard.concerned(now));
        }
        self.wake(concerned);
    }
}
