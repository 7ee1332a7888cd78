//! Keys that the server refused, until when: it is not asked again before.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::clock::{SECOND, Ticks};
use crate::decision::{Decision, Source};
use crate::store::fork::locked_now;

/// Most keys remembered, some 150 bytes each.
const MOST: usize = 10_000;
/// A refund or a reset made elsewhere is seen after so long at the latest.
const LONGEST: Ticks = SECOND;

struct Refused {
    until: Instant,
    cost: u32,
    decision: Decision,
    decided_at: Instant,
}

/// What the server refused lately.
#[derive(Default)]
pub(super) struct Remembered {
    keys: Mutex<HashMap<Box<[u8]>, Refused>>,
    len: AtomicUsize,
    epoch: AtomicU64,
}

impl Remembered {
    /// Changes whenever something is given back: what was decided before is not kept.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    /// The refusal that the server would repeat, if it would.
    pub(super) fn refusal(&self, key: &[u8], cost: u32, now: Instant) -> Option<Decision> {
        if self.len.load(Relaxed) == 0 {
            return None;
        }
        let keys = locked_now(&self.keys);
        let refused = keys.get(key)?;
        if cost < refused.cost || now >= refused.until {
            return None;
        }
        let passed = ticks(now - refused.decided_at);
        let decision = refused.decision;
        Some(Decision {
            retry_after: decision.retry_after.saturating_sub(passed).max(1),
            reset_after: decision.reset_after.saturating_sub(passed),
            at: decision.at + passed,
            source: Source::Remembered,
            ..decision
        })
    }

    /// Keep a refusal of a call that was made at `made_at`, when the server cannot have
    /// decided it yet: so it is kept no longer than it holds.
    pub(super) fn keep(
        &self,
        key: &[u8],
        cost: u32,
        decision: Decision,
        made_at: Instant,
        epoch: u64,
    ) {
        let kept = Duration::from_micros(decision.retry_after.min(LONGEST));
        let refused = Refused {
            until: made_at + kept,
            cost,
            decision,
            decided_at: made_at,
        };
        let mut keys = locked_now(&self.keys);
        if epoch != self.epoch() {
            return;
        }
        if keys.len() >= MOST {
            keys.retain(|_, refused| refused.until > made_at);
        }
        if keys.len() < MOST {
            keys.insert(key.into(), refused);
        }
        self.len.store(keys.len(), Relaxed);
    }

    /// Something was spent from a key since.
    pub(super) fn outdated(&self, key: &[u8]) {
        if self.len.load(Relaxed) > 0 {
            let mut keys = locked_now(&self.keys);
            keys.remove(key);
            self.len.store(keys.len(), Relaxed);
        }
    }

    /// Something was given back to a key.
    pub(super) fn forget(&self, key: &[u8]) {
        let mut keys = locked_now(&self.keys);
        self.epoch.fetch_add(1, Relaxed);
        keys.remove(key);
        self.len.store(keys.len(), Relaxed);
    }

    /// The quota has changed.
    pub(super) fn clear(&self) {
        let mut keys = locked_now(&self.keys);
        self.epoch.fetch_add(1, Relaxed);
        keys.clear();
        self.len.store(0, Relaxed);
    }
}

fn ticks(span: Duration) -> Ticks {
    Ticks::try_from(span.as_micros()).unwrap_or(Ticks::MAX)
}
