//! Quotas of keys that have another one than the store's own, by the index that is kept beside the
//! key's state.

mod in_use;

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use hashbrown::HashTable;

use crate::algorithm::Algorithm;
use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::Quota;
pub(in crate::store::memory) use in_use::InUse;

/// Which quota of a shard; 0 is the store's own.
pub(in crate::store::memory) type Index = u16;

/// The quotas of one shard's keys, as long as a key is kept by them.
pub(in crate::store::memory) struct Others<A> {
    entries: Vec<Other<A>>,
    free: Vec<Index>,
    by_quota: HashTable<Index>,
    in_use: Arc<InUse>,
}

struct Other<A> {
    quota: Quota,
    algorithm: A,
    keys: usize,
}

fn hash(quota: &Quota) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(quota)
}

impl<A: Algorithm> Others<A> {
    pub(in crate::store::memory) fn new(in_use: Arc<InUse>) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            by_quota: HashTable::new(),
            in_use,
        }
    }

    /// The same list for a copy of the shard's keys.
    #[cfg(test)]
    pub(in crate::store::memory) fn copied(&self) -> Self {
        let mut copy = Self::new(Arc::default());
        for entry in &self.entries {
            copy.entries.push(Other {
                quota: entry.quota.clone(),
                algorithm: entry.algorithm.clone(),
                keys: entry.keys,
            });
        }
        copy
    }

    /// The algorithm of an index that is not 0.
    #[inline]
    pub(in crate::store::memory) fn algorithm(&self, index: Index) -> &A {
        &self.entries[usize::from(index) - 1].algorithm
    }

    /// Whether the index is that of `quota`; 0 is that of none.
    #[inline]
    pub(in crate::store::memory) fn is(&self, index: Index, quota: &Quota) -> bool {
        let entry = self.entries.get(usize::from(index).wrapping_sub(1));
        entry.is_some_and(|entry| entry.quota == *quota)
    }

    /// The index of `quota`, if a key of this shard is kept by it.
    pub(in crate::store::memory) fn find(&self, quota: &Quota) -> Option<Index> {
        let is_it = |&index: &Index| self.is(index, quota);
        self.by_quota.find(hash(quota), is_it).copied()
    }

    /// Whether any key of the store ever had a quota of its own.
    pub(in crate::store::memory) fn were_any(&self) -> bool {
        self.in_use.were_any()
    }

    /// Whether a key may be kept by `quota`.
    pub(in crate::store::memory) fn may_take(&self, quota: &Quota) -> bool {
        self.find(quota).is_some() || self.in_use.may_claim(quota)
    }

    /// The index of `quota` for one more key of this shard. `None`: too many quotas are in use.
    ///
    /// # Errors
    /// When it is none for a key of a store whose own quota is `own`.
    pub(in crate::store::memory) fn take(
        &mut self,
        own: &A,
        quota: &Quota,
        now: Ticks,
    ) -> Result<Option<Index>> {
        let index = match self.find(quota) {
            Some(index) => index,
            None => match self.add(own.under(quota)?.succeeding(own, now), quota) {
                Some(index) => index,
                None => return Ok(None),
            },
        };
        self.entries[usize::from(index) - 1].keys += 1;
        Ok(Some(index))
    }

    fn add(&mut self, algorithm: A, quota: &Quota) -> Option<Index> {
        if !self.in_use.claim(quota) {
            return None;
        }
        let entry = Other {
            quota: quota.clone(),
            algorithm,
            keys: 0,
        };
        let index = if let Some(index) = self.free.pop() {
            self.entries[usize::from(index) - 1] = entry;
            index
        } else {
            self.entries.push(entry);
            self.entries.len() as Index // no more than are in use in all shards
        };
        let entries = &self.entries;
        let hash_of = |&index: &Index| hash(&entries[usize::from(index) - 1].quota);
        self.by_quota.insert_unique(hash(quota), index, hash_of);
        Some(index)
    }

    /// One key less is kept by it.
    #[inline]
    pub(in crate::store::memory) fn leave(&mut self, index: Index) {
        if index != 0 {
            self.leave_one(index);
        }
    }

    #[cold]
    fn leave_one(&mut self, index: Index) {
        let entry = &mut self.entries[usize::from(index) - 1];
        entry.keys -= 1;
        if entry.keys > 0 {
            return;
        }
        let hash = hash(&entry.quota);
        self.in_use.release(&entry.quota);
        if let Ok(found) = self.by_quota.find_entry(hash, |&found| found == index) {
            found.remove();
        }
        self.free.push(index);
        if self.by_quota.is_empty() {
            *self = Self::new(Arc::clone(&self.in_use));
        }
    }

    /// No key is kept by any of them.
    pub(in crate::store::memory) fn clear(&mut self) {
        for &index in &self.by_quota {
            self.in_use
                .release(&self.entries[usize::from(index) - 1].quota);
        }
        *self = Self::new(Arc::clone(&self.in_use));
    }

    /// The store's own quota is `own` from now on: the algorithm of each index before, and after if it
    /// is of the same window still.
    pub(in crate::store::memory) fn continued(&mut self, own: &A) -> Vec<(A, Option<A>)> {
        let mut all = Vec::new();
        for entry in &mut self.entries {
            let after = own.under(&entry.quota).ok();
            let before = match &after {
                // Its quota is what it was.
                Some(_) if A::IS_KEPT_BY_QUOTA => entry.algorithm.clone(),
                Some(after) => std::mem::replace(&mut entry.algorithm, after.clone()),
                None => entry.algorithm.clone(),
            };
            all.push((before, after));
        }
        all
    }
}
