//! A key, its state, and by which quota it is kept.

use super::fingerprint::Fingerprint;
use super::others::Index;

/// The index takes the place of so many bits of the fingerprint; 112 are left to tell keys apart.
const INDEX_BITS: u32 = Index::BITS;

/// A key and its state.
#[derive(Clone)]
pub(super) struct Slot<S> {
    key: Fingerprint,
    pub(super) state: S,
}

impl<S> Slot<S> {
    pub(super) fn new(key: Fingerprint, state: S, quota: Index) -> Self {
        let mut slot = Self { key, state };
        slot.set_quota(quota);
        slot
    }

    pub(super) fn hash(&self) -> u64 {
        self.key.hash()
    }

    /// Whether it is the slot of `key`.
    #[inline]
    pub(super) fn is(&self, key: Fingerprint) -> bool {
        self.key.hash() == key.hash() && (self.key.shard() ^ key.shard()) >> INDEX_BITS == 0
    }

    /// The key, without the bits that are not kept.
    pub(super) fn key(&self) -> Fingerprint {
        self.key.with_low_bits(INDEX_BITS, 0)
    }

    /// By which of the shard's quotas it is kept; 0: by the store's own.
    #[inline]
    pub(super) fn quota(&self) -> Index {
        self.key.shard() as Index
    }

    pub(super) fn set_quota(&mut self, quota: Index) {
        self.key = self.key.with_low_bits(INDEX_BITS, quota.into());
    }
}
