//! What resets have forgotten, so that no receipt brings it back.

use hashbrown::HashTable;

use crate::store::memory::fingerprint::Fingerprint;

/// Resets of single keys that a shard remembers.
const MOST_RESETS: usize = 1_024;

/// Which of a shard's receipts are of spends that a reset has forgotten.
///
/// Calls are numbered as they are admitted. It is known how far each key was reset; when there are too
/// many of these, all that was spent so far is taken for forgotten.
#[derive(Default)]
pub(crate) struct Forgotten {
    /// Nothing up to this number is given back.
    all_to: u64,
    keys: HashTable<(Fingerprint, u64)>,
}

impl Forgotten {
    /// All of a key's spends up to that number are forgotten.
    pub(crate) fn add(&mut self, key: Fingerprint, number: u64) {
        if self.keys.len() == MOST_RESETS {
            self.add_all(number);
        }
        let hash = |reset: &(Fingerprint, u64)| reset.0.hash();
        let reset = self.keys.entry(key.hash(), |reset| reset.0 == key, hash);
        reset.or_insert((key, number)).into_mut().1 = number;
    }

    /// Every key's.
    pub(crate) fn add_all(&mut self, number: u64) {
        self.all_to = number;
        self.keys.clear();
    }

    pub(crate) fn has(&self, key: Fingerprint, number: u64) -> bool {
        let reset = self.keys.find(key.hash(), |reset| reset.0 == key);
        number <= self.all_to || reset.is_some_and(|reset| number <= reset.1)
    }
}
