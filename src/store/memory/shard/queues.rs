//! The queues of those who wait for the shard's keys.

use super::{Algorithm, Fingerprint, Shard, Ticks};
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

    /// Plan when those are admitted who wait for `key`; `elsewhere` is its state if it is not held.
    pub(in crate::store::memory) fn plan_queue(
        &mut self,
        key: Fingerprint,
        elsewhere: Option<&A::State>,
        now: Ticks,
    ) {
        let held = self.table.find(key.hash(), |slot| slot.key == key);
        let state = held.map(|slot| &slot.state).or(elsewhere);
        let queue = self.queues.find_mut(key.hash(), |queue| queue.key == key);
        if let (Some(queue), Some(state)) = (queue, state) {
            queue.make_plan(&self.algorithm, state, now);
        }
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
    pub(in crate::store::memory) fn position(&self, call: Call) -> Option<usize> {
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
