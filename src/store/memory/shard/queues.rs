//! The queues of those who wait for the shard's keys.

use std::iter::Flatten;
use std::sync::Arc;

use hashbrown::hash_table::OccupiedEntry;

use super::{Algorithm, Fingerprint, Shard, Ticks};
use crate::error::Result;
use crate::quota::Quota;
use crate::store::memory::decide::call::Call;
use crate::store::memory::joint::queue::JointQueue;
use crate::store::memory::queue::{Queue, Removed, WakeUp};

/// Those to be woken as a key's state has changed.
pub(in crate::store::memory) type Heads = Flatten<std::array::IntoIter<Option<WakeUp>, 2>>;

impl<A: Algorithm> Shard<A> {
    #[inline]
    pub(in crate::store::memory) fn has_queue(&self, key: Fingerprint) -> bool {
        !self.queues.is_empty() && self.look_at_queue(key).is_some()
    }

    pub(in crate::store::memory) fn look_at_queue(&self, key: Fingerprint) -> Option<&Queue<A>> {
        self.queues.find(key.hash(), |queue| queue.key == key)
    }

    pub(in crate::store::memory) fn queue(&mut self, key: Fingerprint) -> Option<&mut Queue<A>> {
        self.queues.find_mut(key.hash(), |queue| queue.key == key)
    }

    /// Plan when those are admitted who wait for `key`; `elsewhere` is its state if it is not held, or
    /// kept by another quota than theirs, and how often it was spent from if keys share it.
    pub(in crate::store::memory) fn plan_queue(
        &mut self,
        key: Fingerprint,
        algorithm: &A,
        (elsewhere, shared_spends): (Option<&A::State>, Option<u64>),
        now: Ticks,
    ) {
        let held = self.table.find(key.hash(), |slot| slot.is(key));
        let state = elsewhere.or(held.map(|slot| &slot.state));
        let queue = self.queues.find_mut(key.hash(), |queue| queue.key == key);
        if let (Some(queue), Some(state)) = (queue, state) {
            queue.make_plan(algorithm, state, now, shared_spends);
        }
    }

    /// By which quota those are decided who wait for `key`.
    pub(in crate::store::memory) fn quota_of_queue(&self, key: Fingerprint) -> Option<Arc<Quota>> {
        self.look_at_queue(key)?.quota.clone()
    }

    /// Those who wait for the call's key are decided by its quota from now on: the first of them, to be
    /// woken without the lock, if that changes something.
    ///
    /// # Errors
    /// When it is none for a key of this store.
    #[cold]
    #[inline(never)]
    pub(in crate::store::memory) fn wait_by(&mut self, call: Call<'_>) -> Result<Option<WakeUp>> {
        let queue = self.look_at_queue(call.key);
        if call.number.is_some() || queue.is_none_or(|queue| queue.is_by(call.quota)) {
            return Ok(None);
        }
        if let Some(quota) = call.quota {
            self.algorithm.under(quota)?;
        }
        let Some(queue) = self.queue(call.key) else {
            return Ok(None);
        };
        queue.quota = call.quota.cloned().map(Arc::new);
        Ok(queue.disturb())
    }

    pub(in crate::store::memory) fn queue_or_new(&mut self, key: Fingerprint) -> &mut Queue<A> {
        self.queues
            .entry(
                key.hash(),
                |queue| queue.key == key,
                |queue| queue.key.hash(),
            )
            .or_insert_with(|| Queue::new(key))
            .into_mut()
    }

    /// Where one who waits stands in the queue of its key.
    pub(in crate::store::memory) fn position(&self, call: Call<'_>) -> Option<usize> {
        self.look_at_queue(call.key)?.position(call.number?)
    }

    /// When the first waiter of `key` gives up.
    pub(in crate::store::memory) fn first_deadline(&self, key: Fingerprint) -> Ticks {
        let first = self
            .look_at_queue(key)
            .and_then(|queue| queue.waiters.front());
        first.map_or(Ticks::MAX, |first| first.deadline)
    }

    /// Take a waiter out of its queue.
    pub(in crate::store::memory) fn dequeue(
        &mut self,
        key: Fingerprint,
        position: usize,
        admitted_at: Option<Ticks>,
    ) -> Removed {
        let mut removed = match self.queue(key) {
            Some(queue) => queue.remove(position, admitted_at),
            None => Removed::default(),
        };
        if self.drop_empty_queue(key) {
            removed.next = self.disturb_jointly(key);
        }
        removed
    }

    /// Says whether there was one.
    fn drop_empty_queue(&mut self, key: Fingerprint) -> bool {
        let empty = |queue: &Queue<A>| queue.key == key && queue.waiters.is_empty();
        let queue = self.queues.find_entry(key.hash(), empty);
        queue.map(OccupiedEntry::remove).is_ok()
    }

    /// The key's state has changed: those to be woken without the lock.
    pub(in crate::store::memory) fn disturb(&mut self, key: Fingerprint) -> Heads {
        let single = self.queue(key).and_then(Queue::disturb);
        [single, self.disturb_jointly(key)].into_iter().flatten()
    }

    /// The state of all keys may have changed: the first waiter of each.
    pub(in crate::store::memory) fn disturb_all(&mut self) -> Vec<WakeUp> {
        let single = self.queues.iter_mut().filter_map(Queue::disturb);
        let joint = self.joint_queues.iter_mut();
        single
            .chain(joint.filter_map(JointQueue::disturb))
            .collect()
    }

    /// The first waiter of each key and those whose time is up: whom a moved clock concerns.
    pub(in crate::store::memory) fn concerned(&self, now: Ticks) -> Vec<WakeUp> {
        let single = self.queues.iter().flat_map(|queue| queue.concerned(now));
        let joint = self.joint_queues.iter();
        single
            .chain(joint.flat_map(|queue| queue.concerned(now)))
            .collect()
    }

    /// All who wait.
    pub(in crate::store::memory) fn everybody(&self) -> Vec<WakeUp> {
        let single = self.queues.iter().flat_map(Queue::everybody);
        let joint = self.joint_queues.iter();
        single
            .chain(joint.flat_map(JointQueue::everybody))
            .collect()
    }
}
