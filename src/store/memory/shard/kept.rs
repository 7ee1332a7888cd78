//! By which quota a shard's keys are kept.

use super::{Algorithm, Fingerprint, Index, Shard, Ticks, algorithm_at};
use crate::error::Result;
use crate::quota::Quota;

/// A key's state, and by which quota it is kept.
pub(in crate::store::memory) enum Kept<'a, A: Algorithm> {
    /// By the one that was asked for.
    ByIt(&'a A, &'a mut A::State),
    /// By another one.
    ByAnother,
    /// The key is not held.
    No,
}

/// The algorithm of a quota that is asked for.
pub(in crate::store::memory) struct Asked<A> {
    pub(in crate::store::memory) algorithm: A,
    /// `None`: no key is kept by it.
    index: Option<Index>,
}

impl<A: Algorithm> Shard<A> {
    /// The key's state, with the algorithm of `quota` if it is kept by that.
    #[expect(clippy::inline_always, reason = "it is on the way of every call")]
    #[inline(always)]
    pub(in crate::store::memory) fn kept(
        &mut self,
        key: Fingerprint,
        quota: Option<&Quota>,
    ) -> Kept<'_, A> {
        let Some(slot) = self.table.find_mut(key.hash(), |slot| slot.is(key)) else {
            return Kept::No;
        };
        let algorithm = match (slot.quota(), quota) {
            (0, None) => &self.algorithm,
            (index, Some(quota)) if self.others.is(index, quota) => self.others.algorithm(index),
            _ => return Kept::ByAnother,
        };
        Kept::ByIt(algorithm, &mut slot.state)
    }

    /// The key's state, with the algorithm that it is kept by.
    #[inline]
    pub(in crate::store::memory) fn find_with(&self, key: Fingerprint) -> Option<(&A, &A::State)> {
        let slot = self.table.find(key.hash(), |slot| slot.is(key))?;
        let algorithm = algorithm_at(&self.algorithm, &self.others, slot.quota());
        Some((algorithm, &slot.state))
    }

    /// The same, to be changed together.
    #[inline]
    pub(in crate::store::memory) fn find_mut(
        &mut self,
        key: Fingerprint,
    ) -> Option<(&A, &mut A::State)> {
        let slot = self.table.find_mut(key.hash(), |slot| slot.is(key))?;
        let algorithm = algorithm_at(&self.algorithm, &self.others, slot.quota());
        Some((algorithm, &mut slot.state))
    }

    /// The algorithm of `quota`, or the store's own.
    ///
    /// # Errors
    /// When it is none for a key of this store.
    pub(in crate::store::memory) fn asked(
        &self,
        quota: Option<&Quota>,
        now: Ticks,
    ) -> Result<Asked<A>> {
        let (algorithm, index) = match quota.map(|quota| (quota, self.others.find(quota))) {
            None => (self.algorithm.clone(), Some(0)),
            Some((_, Some(index))) => (self.others.algorithm(index).clone(), Some(index)),
            Some((quota, None)) => {
                let algorithm = self.algorithm.under(quota)?;
                (algorithm.succeeding(&self.algorithm, now), None)
            }
        };
        Ok(Asked { algorithm, index })
    }

    /// The key's state as it is under another quota, where that differs from what is kept.
    pub(in crate::store::memory) fn converted(
        &self,
        key: Fingerprint,
        asked: &Asked<A>,
        now: Ticks,
    ) -> Option<A::State> {
        if !A::IS_KEPT_BY_QUOTA {
            return None;
        }
        let slot = self.table.find(key.hash(), |slot| slot.is(key))?;
        if asked.index == Some(slot.quota()) {
            return None;
        }
        let mut state = slot.state.clone();
        let before = algorithm_at(&self.algorithm, &self.others, slot.quota());
        asked.algorithm.adopt(before, &mut state, now);
        Some(state)
    }

    /// The most units that may have been spent at once: who gives them back need not know by which
    /// quota.
    pub(in crate::store::memory) fn most(&self) -> u32 {
        if self.others.were_any() {
            return u32::MAX;
        }
        self.algorithm.limit()
    }

    /// Whether a key may be kept by `quota`.
    pub(in crate::store::memory) fn may_keep(&self, quota: &Quota) -> bool {
        self.others.may_take(quota)
    }

    /// The index of a quota for a key that is about to be held. `None`: too many are in use.
    pub(in crate::store::memory) fn take_quota(
        &mut self,
        quota: Option<&Quota>,
        now: Ticks,
    ) -> Result<Option<Index>> {
        match quota {
            None => Ok(Some(0)),
            Some(quota) => self.others.take(&self.algorithm, quota, now),
        }
    }

    /// The key is not held after all.
    pub(in crate::store::memory) fn leave_quota(&mut self, index: Index) {
        self.others.leave(index);
    }

    /// Keep a key by another quota: what it spent stays spent. False: too many are in use.
    pub(in crate::store::memory) fn change_quota(
        &mut self,
        key: Fingerprint,
        quota: Option<&Quota>,
        now: Ticks,
    ) -> Result<bool> {
        let Some(index) = self.take_quota(quota, now)? else {
            return Ok(false);
        };
        let Some(slot) = self.table.find_mut(key.hash(), |slot| slot.is(key)) else {
            self.others.leave(index);
            return Ok(true);
        };
        let before = slot.quota();
        if A::IS_KEPT_BY_QUOTA {
            let old = algorithm_at(&self.algorithm, &self.others, before);
            let new = algorithm_at(&self.algorithm, &self.others, index);
            new.adopt(old, &mut slot.state, now);
            if !new.keeps_receipts(old) {
                self.forgotten.add(key, self.admitted);
            }
        }
        slot.set_quota(index);
        self.others.leave(before);
        Ok(true)
    }

    /// The store's own quota becomes `own`. Keys whose quota is of another window are kept by it from
    /// now on.
    pub(super) fn keep_by(&mut self, own: &A, now: Ticks) {
        let continued = self.others.continued(own);
        for slot in &mut self.table {
            let index = slot.quota();
            if index == 0 {
                own.adopt(&self.algorithm, &mut slot.state, now);
                continue;
            }
            match &continued[usize::from(index) - 1] {
                (_, Some(_)) if A::IS_KEPT_BY_QUOTA => {}
                (before, Some(after)) => after.adopt(before, &mut slot.state, now),
                (before, None) => {
                    own.adopt(before, &mut slot.state, now);
                    slot.set_quota(0);
                    self.others.leave(index);
                }
            }
        }
    }
}
