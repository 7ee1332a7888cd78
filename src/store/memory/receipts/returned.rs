//! What has come back of each key, where receipts have to know.

use hashbrown::HashTable;

use crate::clock::Ticks;
use crate::store::memory::fingerprint::Fingerprint;

/// As many keys are kept without a look which of them can be forgotten.
const FEW: usize = 64;
/// The most keys.
const MOST: usize = 1_024;

/// How much has come back of a key, in all, as its algorithm's marks count.
struct Sum {
    key: Fingerprint,
    back: u128,
    /// From then on no receipt tells anything that knows of less.
    lasts: Ticks,
}

/// The sums of a shard's keys, as long as a receipt may have to know of them.
#[derive(Default)]
pub(crate) struct Returned {
    sums: HashTable<Sum>,
    /// As many are kept before it is looked which can be forgotten.
    most: usize,
}

impl Returned {
    pub(crate) fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// How much of `key`.
    #[inline]
    pub(crate) fn of(&self, key: Fingerprint) -> u128 {
        if self.sums.is_empty() {
            return 0;
        }
        let found = self.sums.find(key.hash(), |sum| sum.key == key);
        found.map_or(0, |sum| sum.back)
    }

    /// A receipt of `key` is given whose mark, with what came back before, tells something for so long.
    #[inline]
    pub(crate) fn given(
        &mut self,
        key: Fingerprint,
        mark: u128,
        until: impl Fn(u128) -> Ticks,
    ) -> u128 {
        match self.sums.find_mut(key.hash(), |sum| sum.key == key) {
            None => mark,
            Some(sum) => {
                sum.lasts = sum.lasts.max(until(mark + sum.back));
                mark + sum.back
            }
        }
    }

    /// More came back of `key`, of which so much was missing before. False: there is no room, and all
    /// sums are forgotten, so that no receipt must count that was given before.
    pub(crate) fn add(
        &mut self,
        key: Fingerprint,
        (before, back): (u128, u128),
        now: Ticks,
        until: impl Fn(u128) -> Ticks,
    ) -> bool {
        if self.sums.len() >= self.most.max(FEW) {
            self.sums.retain(|sum| sum.lasts > now);
            self.most = 2 * self.sums.len();
        }
        let has_room = self.sums.len() < MOST;
        if !has_room {
            self.sums.clear();
        }
        let hash = |sum: &Sum| sum.key.hash();
        let sum = self.sums.entry(key.hash(), |sum| sum.key == key, hash);
        let sum = sum.or_insert(Sum {
            key,
            back: 0,
            lasts: 0,
        });
        let sum = sum.into_mut();
        sum.lasts = sum.lasts.max(until(before + sum.back));
        sum.back += back;
        has_room
    }
}
