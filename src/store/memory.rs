//! The in-memory store: 64 shards, each a table under a lock, bounded as a whole.

use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};
use std::sync::{Arc, Mutex, MutexGuard};

use super::fingerprint::{Fingerprint, KeyHasher};
use super::fork::{locked, locked_now};
use super::queue::{Call, Queue};
use super::shard::{STEPS_ON_INSERT, Shard};
use super::{Patience, Store};
use crate::algorithm::Algorithm;
use crate::clock::{Clock, ClockObserver, Ticks};
use crate::decision::Decision;
use crate::error::Result;
use crate::fork;
use outcome::{Outcome, fits};

mod copied;
mod crowd;
mod forked;
mod live;
mod outcome;
mod room;
mod rule;
#[cfg(test)]
mod tests;
mod verbs;
mod waiting;

/// One table stalls for 39 ms when it grows at a million keys, 64 shards for 0.6 ms.
const SHARDS: usize = 64;

/// Who decides for new keys while as many live ones are held as may be.
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
    /// Who decides for the others.
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
    /// Keys that are held now.
    pub keys: usize,
    /// Keys that were dropped because they could not be told from unseen ones.
    pub evicted: u64,
    /// Calls that the overflow policy decided.
    pub overflowed: u64,
}

/// A lock with its shard, alone on its cache lines.
#[repr(align(128))]
struct Cell<A: Algorithm> {
    shard: Mutex<Shard<A>>,
    /// The shard's `idle_from`, to be read without the lock; written under it.
    idle_from: AtomicU64,
}

impl<A: Algorithm> Cell<A> {
    fn publish(&self, shard: &Shard<A>) {
        self.idle_from.store(shard.idle_from(), Relaxed);
    }

    /// Whether the shard may hold a key that is idle at `now`.
    fn may_be_idle(&self, now: Ticks) -> bool {
        self.idle_from.load(Relaxed) <= now
    }
}

/// Limits many keys by one quota, within one process.
pub struct MemoryStore<A: Algorithm> {
    cells: Box<[Cell<A>]>,
    hasher: KeyHasher,
    clock: Clock,
    keys: AtomicUsize,
    max_keys: usize,
    overflow: Overflow,
    /// The quota that overflowing keys share. Locked after a shard, never before one.
    shared: Mutex<A::State>,
    /// The time of its last decision, which other shards' clock reads must not undercut.
    shared_latest: AtomicU64,
    overflowed: AtomicU64,
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

impl<A: Algorithm> MemoryStore<A> {
    /// A store for `rule`, without a key.
    pub fn new(rule: &A, options: Options) -> Arc<Self> {
        let offset = options.clock.offset();
        let rule = rule.clone().aligned(offset);
        let shards = (0..SHARDS).map(|_| Shard::new(rule.clone()));
        let store = Self::holding(shards.collect(), &rule, KeyHasher::random(), options);
        store.offset.store(offset, Relaxed);
        store
    }

    /// A store of these shards, whose rule is `rule`.
    fn holding(shards: Vec<Shard<A>>, rule: &A, hasher: KeyHasher, options: Options) -> Arc<Self> {
        let keys = shards.iter().map(Shard::len).sum();
        let cells = shards.into_iter().map(|shard| Cell {
            idle_from: AtomicU64::new(shard.idle_from()),
            shard: Mutex::new(shard),
        });
        let store = Arc::new(Self {
            cells: cells.collect(),
            hasher,
            clock: options.clock,
            keys: AtomicUsize::new(keys),
            max_keys: options.max_keys,
            overflow: options.overflow,
            shared: Mutex::new(rule.fresh()),
            shared_latest: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
            tickets: AtomicU64::new(0),
            next_swept: AtomicUsize::new(0),
            next_look: AtomicU64::new(0),
            has_crowd: AtomicBool::new(false),
            offset: AtomicI64::new(0),
            limit: AtomicU32::new(rule.limit()),
            window: AtomicU64::new(rule.window()),
        });
        if let Clock::Manual(clock) = &store.clock {
            let weak = Arc::downgrade(&store);
            clock.watch(weak);
        }
        let weak = Arc::downgrade(&store);
        fork::register(weak);
        store
    }

    fn cell(&self, key: Fingerprint) -> &Cell<A> {
        &self.cells[key.shard() as usize % SHARDS]
    }

    /// Lock the shard of `key`, its rule aligned to the wall clock. No lock may be held.
    #[inline]
    fn lock(&self, key: Fingerprint, patience: Patience) -> Option<MutexGuard<'_, Shard<A>>> {
        if A::IS_ALIGNED && self.clock.offset() != self.offset.load(Relaxed) {
            self.realign(patience)?;
        }
        locked(&self.cell(key).shard, patience)
    }

    fn lock_all(&self) -> Vec<MutexGuard<'_, Shard<A>>> {
        self.cells
            .iter()
            .map(|cell| locked_now(&cell.shard))
            .collect()
    }

    /// Decide and spend for a key that nobody waits for. `None`: it is new, and there is no room.
    #[inline]
    fn spend<R>(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        cost: u32,
        now: Ticks,
        finish: impl Fn(&Outcome<'_, A>) -> R,
    ) -> Option<R> {
        let Some((rule, state)) = shard.find_mut(key) else {
            return self.first_touch(shard, key, cost, now, finish);
        };
        let allowed = rule.admit(state, now, cost);
        Some(finish(&Outcome {
            rule,
            state,
            allowed,
            now,
            cost,
            turn: None,
        }))
    }

    #[inline(never)]
    fn first_touch<R>(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        cost: u32,
        now: Ticks,
        finish: impl Fn(&Outcome<'_, A>) -> R,
    ) -> Option<R> {
        self.give_back(shard.sweep(STEPS_ON_INSERT, now));
        let mut state = shard.rule.fresh();
        let allowed = shard.rule.admit(&mut state, now, cost);
        // A refused newcomer is as good as unseen: it is not remembered.
        if allowed && !self.take_room() {
            return None;
        }
        let done = finish(&Outcome {
            rule: &shard.rule,
            state: &state,
            allowed,
            now,
            cost,
            turn: None,
        });
        if allowed {
            let idle_at = now + shard.rule.reset_after(&state, now);
            shard.insert(key, state, idle_at);
            self.cell(key).publish(shard);
        }
        Some(done)
    }

    /// Decide for a key that there is no room for. `None`: a lock was held.
    #[cold]
    fn spend_overflow<R>(
        &self,
        shard: &Shard<A>,
        cost: u32,
        now: Ticks,
        patience: Patience,
        finish: impl Fn(&Outcome<'_, A>) -> R,
    ) -> Option<R> {
        let rule = &shard.rule;
        let mut common = locked(&self.shared, patience)?;
        let now = self.shared_latest.fetch_max(now, Relaxed).max(now);
        self.overflowed.fetch_add(1, Relaxed);
        let mut unseen = rule.fresh();
        let state = match self.overflow {
            Overflow::Share => &mut *common,
            Overflow::Admit => &mut unseen,
        };
        let allowed = rule.admit(state, now, cost) || self.overflow == Overflow::Admit;
        Some(finish(&Outcome {
            rule,
            state,
            allowed,
            now,
            cost,
            turn: None,
        }))
    }

    /// Wake the first waiter of every queue: what they wait for may have changed.
    fn wake_heads(&self) {
        let mut heads = Vec::new();
        for cell in &self.cells {
            let mut shard = locked_now(&cell.shard);
            heads.extend(shard.queues.iter_mut().filter_map(Queue::disturb));
        }
        self.ring(heads);
    }
}

impl<A: Algorithm> ClockObserver for MemoryStore<A> {
    fn moved(&self) {
        let now = self.clock.now();
        let mut concerned: Vec<Call> = Vec::new();
        for cell in &self.cells {
            let shard = locked_now(&cell.shard);
            concerned.extend(shard.queues.iter().flat_map(|queue| queue.concerned(now)));
        }
        self.ring(concerned);
    }
}
