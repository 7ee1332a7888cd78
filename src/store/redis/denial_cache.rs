//! What the server refused, until when: it is not asked again before.

mod kept;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use super::encoded::EncodedQuota;
use crate::clock::{Ticks, unix_now};
use crate::decision::{Decision, Receipt, Source};
use crate::store::KeyHasher;
use crate::store::fork::locked_now;
use kept::{Kept, Refusal};

/// Most refusals remembered, some 95 bytes each.
const MOST: usize = 65_536;

/// What the server refused lately.
pub(super) struct DenialCache {
    hasher: KeyHasher,
    born: Instant,
    kept: Mutex<Kept>,
    len: AtomicUsize,
    epoch: AtomicU64,
}

impl Default for DenialCache {
    fn default() -> Self {
        Self {
            hasher: KeyHasher::random(),
            born: Instant::now(),
            kept: Mutex::new(Kept::new(MOST)),
            len: AtomicUsize::new(0),
            epoch: AtomicU64::new(0),
        }
    }
}

impl DenialCache {
    /// Changes whenever something is given back: what was decided before is not kept.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    /// The refusal that the server would repeat, if it would, under that quota.
    pub(super) fn refusal(
        &self,
        key: &[u8],
        cost: u32,
        quota: &EncodedQuota,
        now: Instant,
    ) -> Option<Decision> {
        if self.len.load(Relaxed) == 0 {
            return None;
        }
        let (key, now) = (self.hasher.fingerprint(key), self.ticks(now));
        let refusal = locked_now(&self.kept).refusal(key, cost, quota.number(), now)?;
        let passed = now.saturating_sub(refusal.made_at);
        Some(Decision {
            allowed: false,
            limit: quota.limit(),
            remaining: refusal.remaining,
            retry_after: refusal.retry_after.saturating_sub(passed).max(1),
            reset_after: refusal.reset_after.saturating_sub(passed),
            at: unix_now(),
            source: Source::Remembered,
            receipt: Receipt::NONE,
        })
    }

    /// Keep a refusal of a call that was made at `made_at`, when the server cannot have
    /// decided it yet: so it is kept no longer than it holds.
    pub(super) fn keep(
        &self,
        key: &[u8],
        cost: u32,
        quota: &EncodedQuota,
        decision: &Decision,
        made_at: Instant,
        epoch: u64,
    ) {
        let refusal = Refusal {
            cost,
            quota: quota.number(),
            remaining: decision.remaining,
            retry_after: decision.retry_after,
            reset_after: decision.reset_after,
            made_at: self.ticks(made_at),
        };
        let (key, now) = (self.hasher.fingerprint(key), self.ticks(Instant::now()));
        self.change(|kept| {
            if epoch == self.epoch() {
                kept.keep(key, refusal, now);
            }
        });
    }

    /// Something was spent from a key since.
    pub(super) fn outdated(&self, key: &[u8]) {
        if self.len.load(Relaxed) > 0 {
            let key = self.hasher.fingerprint(key);
            self.change(|kept| kept.forget(key));
        }
    }

    /// Something was given back to a key.
    pub(super) fn forget(&self, key: &[u8]) {
        let key = self.hasher.fingerprint(key);
        self.change(|kept| {
            self.epoch.fetch_add(1, Relaxed);
            kept.forget(key);
        });
    }

    /// The quota has changed.
    pub(super) fn clear(&self) {
        self.change(|kept| {
            self.epoch.fetch_add(1, Relaxed);
            *kept = Kept::new(MOST);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) {
        let mut kept = locked_now(&self.kept);
        change(&mut kept);
        self.len.store(kept.len(), Relaxed);
    }

    fn ticks(&self, at: Instant) -> Ticks {
        let since = at.saturating_duration_since(self.born);
        Ticks::try_from(since.as_micros()).unwrap_or(Ticks::MAX)
    }
}
