//! A limiter's receipts: whose they are, and what has been forgotten since.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::server::generation;
use crate::decision::{Decision, Receipt, Source};
use crate::store::fork::locked_now;
use crate::store::memory::{Forgotten, new_number};
use crate::store::{Fingerprint, KeyHasher};

/// Each remembers how far 1,024 keys were reset.
const SHARDS: usize = 64;

/// What a limiter knows of the receipts that it gave.
pub(super) struct Receipts {
    /// By which they are known to be this limiter's, in this process: which it is, and the number. A
    /// forked child has another, or what its parent holds could come back twice.
    number: Mutex<(u64, u32)>,
    hasher: KeyHasher,
    calls: AtomicU64,
    /// By key: what resets of this process have forgotten.
    forgotten: Box<[Mutex<Forgotten>]>,
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            number: Mutex::new((generation(), new_number())),
            hasher: KeyHasher::random(),
            calls: AtomicU64::new(0),
            forgotten: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Receipts {
    /// Calls are numbered as they are made: a reset forgets what was called for before.
    pub(super) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Relaxed) + 1
    }

    /// A key is reset. To be said when that is sent and again when it is done: a call that was made
    /// between the two may have come before it.
    pub(super) fn forget(&self, key: &[u8]) {
        let (key, number) = (self.hasher.fingerprint(key), self.calls.load(Relaxed));
        locked_now(self.shard(key)).add(key, number);
    }

    /// Every key is: to be said as of one.
    pub(super) fn forget_all(&self) {
        let number = self.calls.load(Relaxed);
        for shard in &self.forgotten {
            locked_now(shard).add_all(number);
        }
    }

    /// A decision with its receipt: the call of that number has spent `cost` units of `key`. What the
    /// limiter in this process admitted keeps what that one has to know.
    pub(super) fn signed(
        &self,
        key: &[u8],
        number: u64,
        cost: u32,
        decision: Decision,
    ) -> Decision {
        let (key, before) = (self.tag(key), decision.receipt);
        let receipt = match decision.source {
            Source::Local => Receipt {
                // 0 of what keys share there: nothing can come back.
                cost: before.cost.min(1) * cost,
                key,
                ..before
            },
            _ => Receipt {
                store: self.number(),
                cost,
                key,
                number,
                ..before
            },
        };
        Decision {
            receipt,
            ..decision
        }
    }

    /// A decision that holds permits, whose numbers follow one another from the first.
    pub(super) fn held(&self, key: &[u8], numbers: &[u64], decision: Decision) -> Decision {
        let receipt = Receipt {
            store: self.number(),
            key: self.tag(key),
            cost: numbers.len() as u32,
            number: numbers.first().copied().unwrap_or(0),
            ..Receipt::NONE
        };
        Decision {
            receipt,
            ..decision
        }
    }

    /// The bits by which receipts know a key.
    pub(super) fn tag(&self, key: &[u8]) -> u32 {
        self.hasher.fingerprint(key).tag()
    }

    /// Whether it is of this limiter, and not one that another made in its place.
    pub(super) fn has_number(&self, receipt: &Receipt) -> bool {
        receipt.store == self.number()
    }

    /// Whether a reset of its key has forgotten what it is of.
    pub(super) fn is_forgotten(&self, key: &[u8], receipt: &Receipt) -> bool {
        let key = self.hasher.fingerprint(key);
        locked_now(self.shard(key)).has(key, receipt.number)
    }

    fn number(&self) -> u32 {
        let mut number = locked_now(&self.number);
        if number.0 != generation() {
            *number = (generation(), new_number());
        }
        number.1
    }

    fn shard(&self, key: Fingerprint) -> &Mutex<Forgotten> {
        &self.forgotten[key.shard() as usize % SHARDS]
    }
}
