//! The shared zone: one file in memory in which all processes of a host keep their limits' states.
//!
//! Every change is one compare-and-swap of 16 bytes, so a process that dies leaves the old state or
//! the new one, whichever instruction it dies at. Nothing depends on a lock, on an owner or on a
//! clean exit, a check never waits, and there is nothing to do after a fork.

mod place;
mod registry;
mod slot;
mod word;

use std::sync::Arc;

use super::{Fingerprint, KeyHasher};
use crate::clock::Ticks;

pub use place::{Place, Refusal};
pub use registry::{Kind, LimitId, Registered, Wanted};
pub use slot::{Found, PAYLOAD_BITS, Seen, Tenancy, Updated};

/// A zone that this process has mapped: one for each file, however often it is opened.
#[derive(Debug)]
pub struct Zone {}

impl Zone {
    /// Open the zone at that place, and make it if nobody has yet. Waits up to 5 s for another
    /// process that is making it, so to be called without the interpreter.
    ///
    /// # Errors
    /// One line that says what is wrong and what to do.
    pub fn open(_place: &Place) -> Result<Arc<Self>, Refusal> {
        todo!()
    }

    /// Makes fingerprints, under the key that only those who may open the zone can read. The limit
    /// is mixed in later, so a key that several limits of one zone count by is hashed once.
    #[must_use]
    pub fn hasher(&self) -> &KeyHasher {
        todo!()
    }

    /// The limit of that name, kind and window, registered now if nobody has yet. Whoever comes
    /// first says how it is laid out: [`Registered::bits`] is theirs, not what was wanted.
    ///
    /// # Errors
    /// [`Refusal::Argument`] when the zone holds 1,024 limits already.
    pub fn limit(&self, _wanted: &Wanted) -> Result<Registered, Refusal> {
        todo!()
    }

    /// The time on the clock that all processes of the host share: the monotonic one, since boot.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Ticks {
        todo!()
    }

    /// What to add to [`Zone::now`] for Unix time: one figure for all processes of the zone.
    #[inline]
    #[must_use]
    pub fn offset(&self) -> i64 {
        todo!()
    }

    /// What is held of a key: a payload of 0 if nothing is. Where there is no room for it, what the
    /// limit's overflow slot holds. Changes nothing.
    #[inline]
    #[must_use]
    pub fn look(&self, _limit: LimitId, _key: Fingerprint, _now: Ticks) -> Found {
        todo!()
    }

    /// Change what is held of a key by one swap.
    ///
    /// `change` says what to hold instead, or `None` for no change, and what to return. It is called
    /// again when another process was faster, and with a later time, from `clock`, when the key had
    /// to be inserted; what its last call returns is returned. It is called with a payload of 0 for a
    /// key that is not held, and then `None` inserts nothing.
    #[inline]
    pub fn update<R>(
        &self,
        _limit: LimitId,
        _key: Fingerprint,
        _now: Ticks,
        _clock: &impl Fn() -> Ticks,
        _change: impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Updated<R> {
        todo!()
    }

    /// The same where it was found or updated before, without a search. `None`, and nothing is
    /// changed, if the key has left that slot since: it was idle, or reset.
    #[inline]
    pub fn update_at<R>(
        &self,
        _limit: LimitId,
        _key: Fingerprint,
        _tenancy: Tenancy,
        _now: Ticks,
        _change: impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Option<Updated<R>> {
        todo!()
    }

    /// Forget a key.
    pub fn remove(&self, _limit: LimitId, _key: Fingerprint) {
        todo!()
    }

    /// Forget all keys of a limit: a few milliseconds for 10 MB.
    pub fn clear(&self, _limit: LimitId) {
        todo!()
    }

    /// How many keys of a limit are held and not idle: a look at every slot.
    #[must_use]
    pub fn count(&self, _limit: LimitId, _now: Ticks) -> usize {
        todo!()
    }

    /// How many updates of a limit its overflow slot has decided, of all processes since the zone
    /// was made.
    #[must_use]
    pub fn overflowed(&self, _limit: LimitId) -> u64 {
        todo!()
    }
}
