//! Keys as 128 bits that nobody outside can predict.

mod siphash;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use siphash::SipKey;

/// A key, as the stores of this process know it: by a keyed hash, so that nobody can make two collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    high: u64,
    low: u64,
}

impl Fingerprint {
    /// The hash by which tables place it.
    #[inline]
    #[must_use]
    pub fn hash(self) -> u64 {
        self.low
    }

    /// Bits that say which shard holds it, independent of [`Fingerprint::hash`].
    #[inline]
    #[must_use]
    pub fn shard(self) -> u64 {
        self.high
    }

    /// The same with other bits in place of its lowest, of those that say which shard holds it and of
    /// some more.
    pub(super) fn with_low_bits(self, count: u32, bits: u64) -> Self {
        let high = self.high >> count << count | bits;
        Self { high, ..self }
    }

    /// Bits to tell most keys apart by.
    #[inline]
    #[must_use]
    pub fn tag(self) -> u32 {
        (self.high >> 32) as u32
    }
}

/// SipHash-1-3 with 128 bits of output and a random key.
#[derive(Debug, Clone)]
pub struct KeyHasher(SipKey);

impl KeyHasher {
    /// A hasher with a key of its own, from the seed that the standard library keeps.
    #[must_use]
    pub fn random() -> Self {
        let word = || RandomState::new().build_hasher().finish();
        Self(SipKey::new(word(), word()))
    }

    /// A hasher with this key, for what several processes keep.
    #[cfg(all(feature = "zone", target_os = "linux"))]
    pub(in crate::store) fn keyed(key: [u64; 2]) -> Self {
        Self(SipKey::new(key[0], key[1]))
    }

    /// The one that all stores of this process share: a key that several of them know is hashed once.
    ///
    /// Its key is as secret as one of a single store, and is told to nobody.
    #[must_use]
    pub fn of_process() -> Self {
        static ONE: LazyLock<KeyHasher> = LazyLock::new(KeyHasher::random);
        ONE.clone()
    }

    /// The fingerprint of `key`.
    #[inline]
    #[must_use]
    pub fn fingerprint(&self, key: &[u8]) -> Fingerprint {
        let (high, low) = self.0.hash(key);
        Fingerprint { high, low }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_differs_from_hasher_to_hasher() {
        let (one, other) = (KeyHasher::random(), KeyHasher::random());
        assert_eq!(one.fingerprint(b"key"), one.fingerprint(b"key"));
        assert_ne!(one.fingerprint(b"key"), one.fingerprint(b"yek"));
        assert_ne!(one.fingerprint(b"key"), other.fingerprint(b"key"));
        let shared = KeyHasher::of_process().fingerprint(b"key");
        assert_eq!(shared, KeyHasher::of_process().fingerprint(b"key"));
        assert_ne!(shared, one.fingerprint(b"key"));
    }
}
