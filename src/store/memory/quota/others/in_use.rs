//! How many quotas beside its own a store has in use.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::quota::Quota;
use crate::store::fork::locked_now;

/// So many at once: a key's quota is kept as 16 bits.
const MOST: usize = 65_535;

/// The quotas that keys of the store are kept by, and in how many shards each.
///
/// Its lock is taken under a shard's only, so that nobody holds it while all shards are held for a
/// fork.
#[derive(Default)]
pub(crate) struct InUse {
    quotas: Mutex<HashMap<Quota, u8>>,
    were_any: AtomicBool,
}

impl InUse {
    /// Whether a shard may begin to use `quota`.
    pub(in crate::store::memory::quota::others) fn may_claim(&self, quota: &Quota) -> bool {
        let quotas = locked_now(&self.quotas);
        quotas.len() < MOST || quotas.contains_key(quota)
    }

    /// A shard begins to use `quota`. False: too many are in use.
    pub(in crate::store::memory::quota::others) fn claim(&self, quota: &Quota) -> bool {
        let mut quotas = locked_now(&self.quotas);
        if quotas.len() >= MOST && !quotas.contains_key(quota) {
            return false;
        }
        *quotas.entry(quota.clone()).or_default() += 1;
        self.were_any.store(true, Relaxed);
        true
    }

    /// Whether any key ever had a quota of its own.
    pub(in crate::store::memory::quota::others) fn were_any(&self) -> bool {
        self.were_any.load(Relaxed)
    }

    #[cfg(test)]
    pub(in crate::store::memory) fn len(&self) -> usize {
        locked_now(&self.quotas).len()
    }

    /// A shard uses it no more.
    pub(in crate::store::memory::quota::others) fn release(&self, quota: &Quota) {
        let mut quotas = locked_now(&self.quotas);
        let Some(shards) = quotas.get_mut(quota) else {
            return;
        };
        *shards -= 1;
        if *shards == 0 {
            quotas.remove(quota);
        }
        if quotas.is_empty() {
            quotas.shrink_to_fit();
        }
    }
}
