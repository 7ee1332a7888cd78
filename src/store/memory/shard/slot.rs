//! A key, its state, and by which quota it is kept.

use crate::store::memory::fingerprint::Fingerprint;
use crate::store::memory::quota::others::Index;

/// The index takes the place of so many bits of the fingerprint; 112 are left to tell keys apart.
const INDEX_BITS: u32 = Index::BITS;

/// A key and its state.
#[derive(Clone)]
pub(in crate::store::memory) struct Slot<S> {
    key: Fingerprint,
    pub(in crate::store::memory) state: S,
}

impl<S> Slot<S> {
    pub(in crate::store::memory) fn new(key: Fingerprint, state: S, quota: Index) -> Self {
        let mut slot = Self { key, state };
        slot.set_quota(quota);
        slot
    }

    pub(in crate::store::memory) fn hash(&self) -> u64 {
        self.key.hash()
    }

    /// Whether it is the slot of `key`.
    #[inline]
    pub(in crate::store::memory) fn is(&self, key: Fingerprint) -> bool {
        self.key.hash() == key.hash() && (self.key.shard() ^ key.shard()) >> INDEX_BITS == 0
    }

    /// The key, without the bits that are not kept.
    pub(in crate::store::memory) fn key(&self) -> Fingerprint {
        self.key.with_low_bits(INDEX_BITS, 0)
    }

    /// By which of the shard's quotas it is kept; 0: by the store's own.
    #[inline]
    pub(in crate::store::memory) fn quota(&self) -> Index {
        self.key.shard() as Index
    }

    pub(in crate::store::memory) fn set_quota(&mut self, quota: Index) {
        self.key = self.key.with_low_bits(INDEX_BITS, quota.into());
    }
}
