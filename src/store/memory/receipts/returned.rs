//! What has come back of each key, where receipts have to know.

use hashbrown::HashTable;

use crate::store::memory::fingerprint::Fingerprint;

/// Keys for which no look is taken whether they are still held.
const FEW: usize = 64;

/// How much has come back of a key, in all, as its algorithm's marks count.
#[derive(Default)]
pub(crate) struct Returned {
    sums: HashTable<(Fingerprint, u128)>,
    /// As many are kept before those are dropped that are held no more.
    most: usize,
}

impl Returned {
    /// How much of `key`.
    #[inline]
    pub(crate) fn of(&self, key: Fingerprint) -> u128 {
        if self.sums.is_empty() {
            return 0;
        }
        let found = self.sums.find(key.hash(), |sum| sum.0 == key);
        found.map_or(0, |sum| sum.1)
    }

    /// More came back of `key`. Keys that are not held have no receipts that tell anything.
    pub(crate) fn add(
        &mut self,
        key: Fingerprint,
        back: u128,
        is_held: impl Fn(Fingerprint) -> bool,
    ) {
        if back == 0 {
            return;
        }
        if self.sums.len() >= self.most.max(FEW) {
            self.sums.retain(|sum| is_held(sum.0));
            self.most = 2 * self.sums.len();
        }
        let hash = |sum: &(Fingerprint, u128)| sum.0.hash();
        let sum = self.sums.entry(key.hash(), |sum| sum.0 == key, hash);
        sum.or_insert((key, 0)).into_mut().1 += back;
    }
}
