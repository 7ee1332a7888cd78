//! The queues of those who wait for the shard's keys, and for those of other stores as well.

use std::sync::Arc;

use super::{Algorithm, Fingerprint, Shard, Ticks};
use crate::error::Result;
use crate::quota::Quota;
use crate::store::memory::decide::call::Call;
use crate::store::memory::joint::Applicant;
use crate::store::memory::joint::plan::Entry;
use crate::store::memory::joint::queue::JointQueue;
use crate::store::memory::queue::WakeUp;

impl<A: Algorithm> Shard<A> {
    /// Whether anybody waits for `key`.
    #[inline]
    pub(in crate::store::memory) fn has_waiters(&self, key: Fingerprint) -> bool {
        self.has_queue(key) || self.has_joint_queue(key)
    }

    #[inline]
    pub(in crate::store::memory) fn has_joint_queue(&self, key: Fingerprint) -> bool {
        !self.joint_queues.is_empty() && self.joint_queue(key).is_some()
    }

    pub(in crate::store::memory) fn joint_queue(&self, key: Fingerprint) -> Option<&JointQueue<A>> {
        self.joint_queues.find(key.hash(), |queue| queue.key == key)
    }

    pub(in crate::store::memory) fn joint_queue_mut(
        &mut self,
        key: Fingerprint,
    ) -> Option<&mut JointQueue<A>> {
        self.joint_queues
            .find_mut(key.hash(), |queue| queue.key == key)
    }

    #[cfg(test)]
    pub(in crate::store::memory) fn applicants(&self) -> usize {
        self.joint_queues.iter().map(JointQueue::len).sum()
    }

    /// By which quota a waiter of `key` is decided. `None`: it does not wait here.
    pub(in crate::store::memory) fn quota_of_applicant(
        &self,
        key: Fingerprint,
        number: u64,
    ) -> Option<Option<Arc<Quota>>> {
        let queue = self.joint_queue(key).filter(|queue| queue.has(number));
        queue.map(|queue| queue.quota.clone())
    }

    /// Those who wait for the call's key are decided by its quota from now on: the first of them, to be
    /// woken without the lock, if that changes something.
    ///
    /// # Errors
    /// When it is none for a key of this store.
    pub(in crate::store::memory) fn wait_jointly_by(
        &mut self,
        call: Call<'_>,
    ) -> Result<Option<WakeUp>> {
        let queue = self.joint_queue(call.key);
        if queue.is_none_or(|queue| queue.is_by(call.quota)) {
            return Ok(None);
        }
        if let Some(quota) = call.quota {
            self.algorithm.under(quota)?;
        }
        let Some(queue) = self.joint_queue_mut(call.key) else {
            return Ok(None);
        };
        queue.quota = call.quota.cloned().map(Arc::new);
        Ok(queue.disturb())
    }

    /// The key's state has changed: the first of those who watch it.
    pub(super) fn disturb_jointly(&mut self, key: Fingerprint) -> Option<WakeUp> {
        self.joint_queue_mut(key)?.disturb()
    }

    /// When waiters of the key are to be admitted is to be planned anew.
    #[inline]
    pub(in crate::store::memory) fn forget_joint_plan(&mut self, key: Fingerprint) {
        if !self.joint_queues.is_empty()
            && let Some(queue) = self.joint_queue_mut(key)
        {
            queue.forget_plan();
        }
    }

    /// Give a waiter its place.
    pub(in crate::store::memory) fn line_up(
        &mut self,
        call: Call<'_>,
        number: u64,
        entry: Entry,
        refused: Option<(&A, Ticks)>,
    ) {
        let Call { key, quota, .. } = call;
        let new = || JointQueue::new(key, quota.cloned().map(Arc::new));
        let found = self.joint_queues.entry(
            key.hash(),
            |queue| queue.key == key,
            |queue| queue.key.hash(),
        );
        let queue = found.or_insert_with(new).into_mut();
        queue.insert(number, entry, refused);
    }

    /// Take a waiter out of the queue of `key`: who is to be woken without the lock.
    pub(in crate::store::memory) fn step_out(
        &mut self,
        key: Fingerprint,
        number: u64,
        admitted_at: Option<Ticks>,
    ) -> Option<Arc<dyn Applicant>> {
        let next = self.joint_queue_mut(key)?.remove(number, admitted_at);
        let empty = |queue: &JointQueue<A>| queue.key == key && queue.is_empty();
        if let Ok(queue) = self.joint_queues.find_entry(key.hash(), empty) {
            queue.remove();
        }
        next
    }
}
