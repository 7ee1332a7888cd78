//! What resets have forgotten, so that no receipt brings it back.

use super::fingerprint::Fingerprint;

/// Resets of single keys that a shard remembers.
const MOST_RESETS: usize = 64;

/// Which of a shard's receipts are of spends that a reset has forgotten.
///
/// Calls are numbered as they are admitted. Of the latest resets it is known which key they were of;
/// all that is older than those is taken for forgotten.
#[derive(Default)]
pub(super) struct Forgotten {
    /// Nothing up to this number is given back.
    all_to: u64,
    keys: Vec<(Fingerprint, u64)>,
}

impl Forgotten {
    /// All of a key's spends up to that number are forgotten.
    pub(super) fn add(&mut self, key: Fingerprint, number: u64) {
        if self.keys.len() == MOST_RESETS {
            self.all_to = self.keys.remove(0).1;
        }
        self.keys.push((key, number));
    }

    /// Every key's.
    pub(super) fn add_all(&mut self, number: u64) {
        *self = Self {
            all_to: number,
            keys: Vec::new(),
        };
    }

    pub(super) fn has(&self, key: Fingerprint, number: u64) -> bool {
        let is_older = |(other, to): &(Fingerprint, u64)| *other == key && number <= *to;
        number <= self.all_to || self.keys.iter().any(is_older)
    }
}
