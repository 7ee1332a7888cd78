//! Where a call stands among those who wait for its key and for other stores as well.

use std::sync::Arc;

use super::Applicant;
use super::plan::View;
use super::queue::JointQueue;
use crate::store::memory::decide::call::Call;
use crate::store::memory::{Algorithm, MemoryStore, Overflow, Patience, Result, Shard, Ticks};

/// Who goes before a call.
pub(in crate::store::memory) enum Before {
    Nobody,
    /// Somebody whom the key refuses now.
    Refused,
    /// Somebody whom the key would admit now, and who has not come yet.
    Due(Arc<dyn Applicant>),
}

/// A call that is decided, with its place in the order of arrival.
#[derive(Clone, Copy)]
pub(in crate::store::memory) struct Numbered<'a> {
    pub(in crate::store::memory) call: Call<'a>,
    pub(in crate::store::memory) number: u64,
    pub(in crate::store::memory) now: Ticks,
    pub(in crate::store::memory) patience: Patience,
}

impl<A: Algorithm> MemoryStore<A> {
    /// Who goes before a call at its key.
    pub(in crate::store::memory) fn before(
        &self,
        shard: &Shard<A>,
        one: Numbered<'_>,
    ) -> Result<Before> {
        let Some(queue) = shard.joint_queue(one.call.key) else {
            return Ok(Before::Nobody);
        };
        if self.viewed(shard, one, |view| queue.is_refused_before(view, one.number))? {
            return Ok(Before::Refused);
        }
        let first = queue.first_watcher();
        let due = first.filter(|first| first.number() < one.number);
        Ok(due.map_or(Before::Nobody, |due| Before::Due(Arc::clone(due))))
    }

    /// When a call would be admitted behind those who go before it. `Ticks::MAX`: nobody knows.
    pub(in crate::store::memory) fn admit_at_among(
        &self,
        shard: &Shard<A>,
        one: Numbered<'_>,
    ) -> Result<Ticks> {
        let Call {
            key, cost, quota, ..
        } = one.call;
        let queue = shard.joint_queue(key);
        self.viewed(shard, one, |view| match queue {
            Some(queue) => queue.admit_at(view, one.number, cost, quota),
            None => one.now.saturating_add(view.wait(cost)),
        })
    }

    /// When a call would have to poll if it watched this key. `None`: it is woken.
    pub(in crate::store::memory) fn poll_after(
        &self,
        shard: &Shard<A>,
        one: Numbered<'_>,
        admit_at: Ticks,
    ) -> Result<Option<Ticks>> {
        let (number, cost) = (one.number, one.call.cost);
        let queue = shard.joint_queue(one.call.key);
        let first = self.viewed(shard, one, |view| match queue {
            Some(queue) => queue.first_polls_after(view, number, cost),
            None => Some(view.wait(cost)),
        })?;
        let Some(first) = first else {
            let is_lookout = queue.is_some_and(|queue| queue.is_lookout(number));
            let look_at = admit_at.saturating_add(JointQueue::<A>::LOOK_AFTER);
            return Ok(is_lookout.then(|| look_at.saturating_sub(one.now)));
        };
        let lacks_room = self.is_full() && shard.find(one.call.key).is_none();
        if lacks_room && self.overflow == Overflow::Share {
            let look = self.book_look(one.now) - one.now;
            return Ok(Some(first.min(look)));
        }
        Ok(Some(first))
    }

    /// Look at a key's state as the call would be decided by it.
    fn viewed<R>(
        &self,
        shard: &Shard<A>,
        Numbered {
            call,
            now,
            patience,
            ..
        }: Numbered<'_>,
        look: impl FnOnce(&View<'_, A>) -> R,
    ) -> Result<R> {
        let asked = shard.asked(call.quota, now)?;
        let shared_spends = self.shared_spends(shard, call.key);
        let live = self.live(shard, call.key, &asked, call.cost, now, patience)?;
        let algorithm = live.algorithm(&shard.algorithm, &asked.algorithm);
        let state = &live;
        Ok(look(&View {
            algorithm,
            state,
            now,
            shared_spends,
        }))
    }
}
