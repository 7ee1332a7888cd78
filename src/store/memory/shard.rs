//! One shard: a table of keys under one lock, which gives idle keys back as it goes.

mod joint_queues;
pub(super) mod kept;
mod queues;
pub(super) mod slot;

use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::OccupiedEntry;

use super::evict::reserve::Reserve;
use super::fingerprint::Fingerprint;
use super::joint::queue::JointQueue;
use super::queue::Queue;
use super::quota::others::{InUse, Index, Others};
use super::receipts::forgotten::Forgotten;
use super::receipts::returned::Returned;
use crate::algorithm::Algorithm;
use crate::clock::Ticks;
use crate::decision::Receipt;
use crate::quota::Quota;
use slot::Slot;

/// Slots that the hand looks at when a key is inserted.
pub(super) const STEPS_ON_INSERT: usize = 4;

/// What is under one lock.
pub(super) struct Shard<A: Algorithm> {
    /// Of the store's own quota.
    pub(super) algorithm: A,
    others: Others<A>,
    table: HashTable<Slot<A::State>>,
    pub(super) queues: HashTable<Queue<A>>,
    pub(super) joint_queues: HashTable<JointQueue<A>>,
    hand: usize,
    /// No key goes idle before this time.
    idle_from: Ticks,
    /// What `idle_from` will be once the hand has been round.
    idle_from_next: Ticks,
    reserve: Reserve,
    latest: Ticks,
    pub(super) calls: u32,
    /// How often a change of the quota made receipts void.
    pub(super) epoch: u32,
    pub(super) forgotten: Forgotten,
    pub(super) returned: Returned,
    pub(super) admitted: u64,
    /// How many of these were no calls, but what a call had used beyond its estimate.
    pub(super) unasked: u64,
    pub(super) refused: u64,
    pub(super) would_have_refused: u64,
    pub(super) evicted: u64,
}

/// The algorithm of an index.
#[inline]
fn algorithm_at<'a, A: Algorithm>(own: &'a A, others: &'a Others<A>, index: Index) -> &'a A {
    match index {
        0 => own,
        index => others.algorithm(index),
    }
}

impl<A: Algorithm> Shard<A> {
    pub(super) fn new(algorithm: A, in_use: Arc<InUse>) -> Self {
        Self {
            algorithm,
            others: Others::new(in_use),
            table: HashTable::new(),
            queues: HashTable::new(),
            joint_queues: HashTable::new(),
            hand: 0,
            idle_from: Ticks::MAX,
            idle_from_next: Ticks::MAX,
            reserve: Reserve::default(),
            latest: 0,
            calls: 0,
            epoch: 0,
            forgotten: Forgotten::default(),
            returned: Returned::default(),
            admitted: 0,
            unasked: 0,
            refused: 0,
            would_have_refused: 0,
            evicted: 0,
        }
    }

    /// The time for a decision or a sweep, which never goes back: the clock may have been read
    /// before the lock, and a key that was dropped at a later time must not be met as unseen.
    #[inline]
    pub(super) fn at(&mut self, now: Ticks) -> Ticks {
        self.latest = self.latest.max(now);
        self.latest
    }

    /// The largest cost that `quota` can ever admit, or the store's own.
    #[inline]
    pub(super) fn limit(&self, quota: Option<&Quota>) -> u32 {
        let own = || self.algorithm.limit();
        quota.map_or_else(own, |quota| quota.limit().unwrap_or(u32::MAX))
    }

    #[inline]
    pub(super) fn find(&self, key: Fingerprint) -> Option<&A::State> {
        let slot = self.table.find(key.hash(), |slot| slot.is(key))?;
        Some(&slot.state)
    }

    /// What is missing of a key's whole quota, where marks say so.
    pub(super) fn missing(&self, key: Fingerprint, now: Ticks) -> u128 {
        match self.find_with(key) {
            Some((algorithm, state)) if A::MARKS_WHAT_IS_MISSING => algorithm.mark(state, now),
            _ => 0,
        }
    }

    /// Of what was missing before, so much has come back.
    pub(super) fn note_return(&mut self, key: Fingerprint, before: u128, back: u128, now: Ticks) {
        let own = &self.algorithm;
        let algorithm = self.table.find(key.hash(), |slot| slot.is(key));
        let algorithm = algorithm.map_or(own, |slot| algorithm_at(own, &self.others, slot.quota()));
        let until = |mark| now.saturating_add(algorithm.mark_lasts(mark));
        if back > 0 && !self.returned.add(key, (before, back), now, until) {
            self.forgotten.add_all(self.admitted);
        }
    }

    /// What a receipt has to know that is given now: its mark, and what came back before.
    #[inline]
    pub(super) fn mark_given(&mut self, key: Fingerprint, receipt: &Receipt) -> u128 {
        let (mark, at) = (receipt.mark(), receipt.at);
        if !A::MARKS_WHAT_IS_MISSING || self.returned.is_empty() {
            return mark;
        }
        let slot = self.table.find(key.hash(), |slot| slot.is(key));
        let quota = slot.map_or(0, Slot::quota);
        let algorithm = algorithm_at(&self.algorithm, &self.others, quota);
        let until = |mark| at.saturating_add(algorithm.mark_lasts(mark));
        self.returned.given(key, mark, until)
    }

    /// Remember a key that is not held yet, by the quota of that index, and that goes idle at
    /// `idle_at`.
    pub(super) fn insert(
        &mut self,
        key: Fingerprint,
        state: A::State,
        quota: Index,
        idle_at: Ticks,
    ) {
        if self.table.len() == self.table.capacity() {
            // The slots are about to move.
            self.hand = 0;
            self.idle_from_next = Ticks::MAX;
        }
        self.expect_idle(key, idle_at);
        self.table
            .insert_unique(key.hash(), Slot::new(key, state, quota), Slot::hash);
    }

    /// `key` goes idle at `idle_at`, which may be before any other.
    pub(super) fn expect_idle(&mut self, key: Fingerprint, idle_at: Ticks) {
        self.reserve.add(key, idle_at);
        self.idle_from = self.idle_from.min(idle_at);
        self.idle_from_next = self.idle_from_next.min(idle_at);
    }

    /// No key goes idle before this time.
    pub(super) fn idle_from(&self) -> Ticks {
        self.idle_from
    }

    /// Forget a key, whatever was spent of it; says whether it was held.
    pub(super) fn forget(&mut self, key: Fingerprint) -> bool {
        self.begin_epoch();
        self.remove(key)
    }

    /// Drop a key that is known to be idle; says whether it was held.
    pub(super) fn drop_idle(&mut self, key: Fingerprint) -> bool {
        let held = self.remove(key);
        self.evicted += u64::from(held);
        held
    }

    /// What is held from now on is held since a later time than all that is forgotten now.
    fn begin_epoch(&mut self) {
        if A::IS_HELD {
            self.latest += 1;
        }
    }

    fn remove(&mut self, key: Fingerprint) -> bool {
        // `entry` would make room for a key that is not held, and move the slots.
        let slot = self.table.find_entry(key.hash(), |slot| slot.is(key));
        let Ok((slot, _)) = slot.map(OccupiedEntry::remove) else {
            return false;
        };
        self.others.leave(slot.quota());
        true
    }

    /// Count a decision.
    #[inline]
    pub(super) fn count(&mut self, allowed: bool) {
        if allowed {
            self.admitted += 1;
        } else {
            self.refused += 1;
        }
    }

    /// Look at the next few slots and drop the keys that cannot be told from unseen ones.
    ///
    /// Says how many; costs nothing while no key can be idle.
    #[inline]
    pub(super) fn sweep(&mut self, steps: usize, now: Ticks) -> usize {
        if self.idle_from > now {
            0
        } else {
            self.move_hand(steps, now)
        }
    }

    fn move_hand(&mut self, steps: usize, now: Ticks) -> usize {
        let (now, mut dropped) = (self.at(now), 0);
        for _ in 0..steps {
            if self.hand >= self.table.num_buckets() {
                self.shrink();
                self.hand = 0;
                self.idle_from = std::mem::replace(&mut self.idle_from_next, Ticks::MAX);
            }
            if let Some(slot) = self.table.get_bucket(self.hand) {
                let quota = slot.quota();
                let algorithm = algorithm_at(&self.algorithm, &self.others, quota);
                let left = algorithm.reset_after(&slot.state, now);
                if left > 0 {
                    self.idle_from_next = self.idle_from_next.min(now.saturating_add(left));
                } else if let Ok(slot) = self.table.get_bucket_entry(self.hand) {
                    slot.remove();
                    self.others.leave(quota);
                    dropped += 1;
                }
            }
            self.hand += 1;
        }
        self.evicted += dropped as u64;
        dropped
    }

    /// Drop idle keys, one at least if there is any; says how many.
    pub(super) fn reclaim(&mut self, now: Ticks) -> usize {
        let now = self.at(now);
        let found = self.drop_reserved(now);
        if !found && self.reserve.idle_from() <= now {
            return self.sweep_all(now);
        }
        self.idle_from = self.idle_from.max(self.reserve.idle_from());
        usize::from(found)
    }

    /// Drop the first idle key of the reserve; says whether there was one.
    fn drop_reserved(&mut self, now: Ticks) -> bool {
        while let Some(key) = self.reserve.pop(now) {
            let held = self.table.find_entry(key.hash(), |slot| slot.is(key));
            let Ok(slot) = held else { continue };
            let quota = slot.get().quota();
            let algorithm = algorithm_at(&self.algorithm, &self.others, quota);
            let left = algorithm.reset_after(&slot.get().state, now);
            if left == 0 {
                slot.remove();
                self.others.leave(quota);
                self.evicted += 1;
                return true;
            }
            self.reserve.add(key, now.saturating_add(left));
        }
        false
    }

    /// Drop every idle key at once, and put those that follow in reserve; says how many.
    fn sweep_all(&mut self, now: Ticks) -> usize {
        let before = self.table.len();
        let (own, others, reserve) = (&self.algorithm, &mut self.others, &mut self.reserve);
        *reserve = Reserve::of(before);
        self.table.retain(|slot| {
            let left = algorithm_at(own, others, slot.quota()).reset_after(&slot.state, now);
            if left > 0 {
                reserve.add(slot.key(), now.saturating_add(left));
            } else {
                others.leave(slot.quota());
            }
            left > 0
        });
        self.idle_from = reserve.idle_from();
        let dropped = before - self.table.len();
        self.evicted += dropped as u64;
        dropped
    }

    /// Give memory back once three quarters of the table stand empty.
    fn shrink(&mut self) {
        let keys = self.table.len();
        if self.table.capacity() > 64 && keys < self.table.capacity() / 4 {
            self.table.shrink_to(2 * keys, Slot::hash);
        }
    }

    /// Take every key out.
    pub(super) fn take_table(&mut self) -> HashTable<Slot<A::State>> {
        (self.idle_from, self.idle_from_next) = (Ticks::MAX, Ticks::MAX);
        self.reserve = Reserve::default();
        self.begin_epoch();
        self.others.clear();
        std::mem::take(&mut self.table)
    }

    /// The same keys in the same state, without queues or counts.
    #[cfg(test)]
    pub(super) fn copied(&self) -> Self {
        Self {
            table: self.table.clone(),
            idle_from: 0,
            idle_from_next: 0,
            latest: self.latest,
            others: self.others.copied(),
            ..Self::new(self.algorithm.clone(), Arc::default())
        }
    }

    /// Change the algorithm and carry every state over.
    pub(super) fn set_algorithm(&mut self, algorithm: &A, now: Ticks) {
        self.keep_by(algorithm, now);
        for queue in &mut self.queues {
            queue.own_quota_is(algorithm);
        }
        for queue in &mut self.joint_queues {
            queue.own_quota_is(algorithm);
        }
        self.algorithm = algorithm.clone();
        (self.idle_from, self.idle_from_next) = (0, 0);
        self.reserve = Reserve::default();
    }
}
