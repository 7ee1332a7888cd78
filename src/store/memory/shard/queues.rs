//! The queues of those who wait for the shard's keys.

use std::sync::Arc;

use super::{Algorithm, Fingerprint, Shard, Ticks};
use crate::error::Result;
use crate::quota::Quota;
use crate::store::memory::call::Call;
use crate::store::memory::queue::{Queue, Removed, WakeUp};

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
    /// kept by another quota than theirs.
    pub(in crate::store::memory) fn plan_queue(
        &mut self,
        key: Fingerprint,
        algorithm: &A,
        elsewhere: Option<&A::State>,
        now: Ticks,
    ) {
        let held = self.table.find(key.hash(), |slot| slot.is(key));
        let state = elsewhere.or(held.map(|slot| &slot.state));
        let queue = self.queues.find_mut(key.hash(), |queue| queue.key == key);
        if let (Some(queue), Some(state)) = (queue, state) {
            queue.make_plan(algorithm, state, now);
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
        let removed = match self.queue(key) {
            Some(queue) => queue.remove(position, admitted_at),
            None => Removed::default(),
        };
        self.drop_empty_queue(key);
        removed
    }

    pub(in crate::store::memory) fn drop_empty_queue(&mut self, key: Fingerprint) {
        let empty = |queue: &Queue<A>| queue.key == key && queue.waiters.is_empty();
        if let Ok(queue) = self.queues.find_entry(key.hash(), empty) {
            queue.remove();
        }
    }

    /// The key's state has changed: the first waiter, to be woken without the lock.
    pub(in crate::store::memory) fn disturb(&mut self, key: Fingerprint) -> Option<WakeUp> {
        self.queue(key)?.disturb()
    }
}
