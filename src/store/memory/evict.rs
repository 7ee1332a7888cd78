//! The bound on keys: new ones reserve room, idle ones give it back.

mod crowd;
pub(super) mod reserve;

use super::shards::SHARDS;
use super::{Algorithm, MemoryStore, Patience, Relaxed, Result, Shard, Ticks, locked};

/// After so many calls to a shard, a sweep looks at the next shard in turn, so that idle keys
/// go even if only one key is ever used.
const CALLS_PER_SWEEP: u32 = 32;

/// Slots that it looks at: two a call, some 3 ns, and nothing while no key can be idle.
const STEPS_PER_SWEEP: usize = 64;

impl<A: Algorithm> MemoryStore<A> {
    /// Make room by dropping idle keys wherever they are. False: as many keys are held as may be, and
    /// all are live.
    ///
    /// Costs a look at 64 times as long as no shard can hold an idle key. Otherwise the keys in
    /// reserve are tried, and all of a shard is looked at only once its reserve is used up.
    #[cold]
    pub(super) fn reclaim(&self, now: Ticks, patience: Patience) -> Result<bool> {
        for lock in self.shards.made() {
            if !lock.may_be_idle(now) {
                continue;
            }
            let mut shard = locked(&lock.shard, patience)?;
            let dropped = shard.reclaim(now);
            lock.publish(&shard);
            drop(shard);
            if dropped > 0 {
                self.release_keys(dropped);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Count a call, and sweep a little now and then.
    #[inline]
    pub(super) fn tend(&self, shard: &mut Shard<A>, now: Ticks) {
        shard.calls += 1;
        if shard.calls >= CALLS_PER_SWEEP {
            shard.calls = 0;
            self.sweep_next(shard, now);
        }
    }

    #[cold]
    fn sweep_next(&self, own: &mut Shard<A>, now: Ticks) {
        let next = self.next_swept.fetch_add(1, Relaxed) % SHARDS;
        let Some(next) = self.shards.at(next).filter(|next| next.may_be_idle(now)) else {
            return;
        };
        // Only tried, since a lock is held already; what cannot be locked is most likely our own.
        let dropped = match locked(&next.shard, Patience::Try) {
            Ok(mut other) => {
                let dropped = other.sweep(STEPS_PER_SWEEP, now);
                next.publish(&other);
                dropped
            }
            Err(_) => own.sweep(STEPS_PER_SWEEP, now),
        };
        self.release_keys(dropped);
    }

    /// Take room for a new key, if there is some.
    pub(super) fn reserve_key(&self) -> bool {
        let more = |keys| (keys < self.max_keys).then_some(keys + 1);
        self.keys.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    #[inline]
    pub(super) fn release_keys(&self, keys: usize) {
        if keys > 0 {
            self.keys.fetch_sub(keys, Relaxed);
        }
    }
}
