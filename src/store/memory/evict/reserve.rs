//! The keys of a shard that go idle next, so that a full store need not look at every slot.

use std::collections::BTreeSet;

use crate::clock::Ticks;
use crate::store::memory::fingerprint::Fingerprint;

/// Keys by the time from which they may be idle.
///
/// Every key of the shard that goes idle before the horizon is in it, under that time or an
/// earlier one: a hit only moves a key later, and costs nothing here. A key that is no longer
/// held may be in it too. By default the horizon is 0: nothing is known.
#[derive(Default)]
pub(in crate::store::memory) struct Reserve {
    keys: BTreeSet<(Ticks, Fingerprint)>,
    most: usize,
    horizon: Ticks,
}

impl Reserve {
    /// For a shard of `keys` keys, which are all about to be added.
    ///
    /// It keeps a 64th of them, at least 64: a look at all slots then finds enough keys to cost
    /// some 64 looks for each, and a large reserve takes less than a byte for each in the shard.
    pub(in crate::store::memory) fn of(keys: usize) -> Self {
        Self {
            keys: BTreeSet::new(),
            most: (keys / 64).max(64),
            horizon: Ticks::MAX,
        }
    }

    /// A key goes idle at `idle_at`, and not before.
    #[inline]
    pub(in crate::store::memory) fn add(&mut self, key: Fingerprint, idle_at: Ticks) {
        if idle_at < self.horizon {
            self.keys.insert((idle_at, key));
            self.bound();
        }
    }

    fn bound(&mut self) {
        if self.keys.len() > self.most
            && let Some((idle_at, _)) = self.keys.pop_last()
        {
            self.horizon = idle_at;
        }
    }

    /// Take out a key that may be idle at `now`.
    pub(in crate::store::memory) fn pop(&mut self, now: Ticks) -> Option<Fingerprint> {
        let first = self.keys.first()?;
        if first.0 > now {
            return None;
        }
        self.keys.pop_first().map(|(_, key)| key)
    }

    /// No key of the shard goes idle before this time.
    pub(in crate::store::memory) fn idle_from(&self) -> Ticks {
        self.keys
            .first()
            .map_or(self.horizon, |&(idle_at, _)| idle_at)
    }
}
