//! Waiters at a full limiter: for the quota that new keys share, or for room of their own.
//!
//! A key is known to go idle at some time or later, hardly ever exactly then, and nobody tells
//! when it does. So the first waiter of each queue looks for room when there may be some, and the
//! one that finds it has the next one look.

use crate::clock::SECOND;
use crate::store::memory::shards::SHARDS;
use crate::store::memory::{
    Algorithm, Fingerprint, MemoryStore, Overflow, Queue, Relaxed, Shard, Ticks,
};

/// Between two looks, whoever waits: however many they are, looking costs a few percent of a core.
const PAUSE: Ticks = SECOND / 1_000;

/// Each looks so soon at least, since a new key may go idle before all others.
const SOON: Ticks = SECOND;

/// Looks are spread over so long at most.
const SPREAD: Ticks = 10 * SECOND;

impl<A: Algorithm> MemoryStore<A> {
    /// When the first waiter of `key` polls again: at `admit_at`, or earlier to look for room.
    pub(in crate::store::memory) fn first_polls_at(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        now: Ticks,
        admit_at: Ticks,
    ) -> Ticks {
        let overflows = self.is_full() && shard.find(key).is_none();
        match shard.queue(key) {
            Some(queue) if overflows && self.overflow == Overflow::Share => {
                if queue.looks_at <= now {
                    queue.looks_at = self.book_look(now);
                }
                admit_at.min(queue.looks_at)
            }
            _ => admit_at,
        }
    }

    pub(in crate::store::memory) fn book_look(&self, now: Ticks) -> Ticks {
        let idle_from = self.shards.made().map(|lock| lock.idle_from.load(Relaxed));
        let idle_from = idle_from.min().unwrap_or(now);
        let wanted = idle_from.clamp(now + PAUSE, now + SOON);
        let after = |next: Ticks| Some((next.max(wanted) + PAUSE).min(now + SPREAD));
        let booked = self.next_look.fetch_update(Relaxed, Relaxed, after);
        self.has_crowd.store(true, Relaxed);
        booked.unwrap_or(now).max(wanted).min(now + SPREAD)
    }

    /// Wake one who waits for room, if there may be some. No lock may be held.
    pub(in crate::store::memory) fn offer_room(&self) {
        if !self.has_crowd.load(Relaxed) || !self.may_have_room() {
            return;
        }
        self.has_crowd.store(false, Relaxed);
        let first = self.next_swept.load(Relaxed);
        let one = (0..SHARDS).find_map(|step| {
            let lock = self.shards.at((first + step) % SHARDS)?;
            let shard = crate::store::memory::locked_now(&lock.shard);
            let mut queues = shard.queues.iter();
            queues
                .find(|queue| queue.looks_at > 0)
                .and_then(Queue::first)
        });
        if one.is_some() {
            self.has_crowd.store(true, Relaxed);
        }
        self.wake(one);
    }

    fn may_have_room(&self) -> bool {
        let now = self.clock.now();
        !self.is_full() || self.shards.made().any(|lock| lock.may_be_idle(now))
    }
}
