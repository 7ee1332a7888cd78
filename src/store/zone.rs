//! The shared zone: one file in memory in which all processes of a host keep their limits' states.
//!
//! Every change is one compare-and-swap of 16 bytes, so a process that dies leaves the old state or
//! the new one, whichever instruction it dies at. Nothing depends on a lock, on an owner or on a
//! clean exit, a check never waits, and there is nothing to do after a fork.

mod file;
mod limiter;
mod refusal;
mod registry;
pub(crate) mod steps;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod word;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use portable_atomic::AtomicU128;

use super::{Fingerprint, KeyHasher};
use crate::clock::{HostClock, Ticks};
use file::ZoneFile;
use file::counted_by::CountedBy;
use file::found;
use file::host::Host;
use file::mapping::Mapping;
use file::opened;
use table::member::Member;
use table::overflow::Overflow;
use table::{Around, Seat, Table};

pub use file::inspect::{LimitReport, Report};
pub use file::place::Place;
pub use limiter::joint::{Asked, Looked, ZonePart};
pub use limiter::leases::Leases;
pub use limiter::make::{in_zone, part_in_zone};
pub use limiter::permits::Counted;
pub use limiter::{ZoneLimiter, ZoneStore};
pub use refusal::{Refusal, shown_path};
pub use registry::{Kind, LimitId, Registered, Wanted};
pub use table::slot::PAYLOAD_BITS;
pub use table::tenancy::{Found, Seen, Tenancy, Updated};
pub use word::{Counters, largest_limit, lateness, parts_for};

/// From one comparison with the wall clock to the next.
const COMPARE_EVERY: Ticks = 1_000;

/// A zone that this process has mapped: one for each file, however often it is opened.
#[derive(Debug)]
pub struct Zone {
    mapping: Mapping,
    hasher: KeyHasher,
    clock: HostClock,
    /// When to compare the clocks again.
    compare_at: AtomicU64,
    path: PathBuf,
    length: u64,
    /// Holds the lock that says that the file is in use.
    _file: File,
}

impl Zone {
    /// Open the zone at that place, and make it if nobody has yet. Waits up to 5 s for another
    /// process that is making it, so to be called without the interpreter.
    ///
    /// # Errors
    /// One line that says what is wrong and what to do.
    pub fn open(place: &Place) -> Result<Arc<Self>, Refusal> {
        Self::open_on(place, &Host::here()?, file::PATIENCE)
    }

    fn open_on(place: &Place, host: &Host, patience: Duration) -> Result<Arc<Self>, Refusal> {
        if !AtomicU128::is_lock_free() {
            return Err(Refusal::Environment(
                "a zone needs a processor that swaps 16 bytes at once, as x86-64 does with cmpxchg16b, and \
                 aarch64; limiters in memory or in Redis work here"
                    .into(),
            ));
        }
        let ZoneFile { file, header } = ZoneFile::open(place, host, patience)?;
        let metadata = found::metadata(&file, &place.path)?;
        let mapping = Mapping::new(&file, header.length)
            .map_err(|error| refusal::fault(&place.path, format_args!("cannot map it: {error}")))?;
        let zone = Self {
            mapping,
            hasher: KeyHasher::keyed(header.key),
            clock: HostClock::new(),
            compare_at: AtomicU64::new(0),
            path: place.path.clone(),
            length: header.length,
            _file: file,
        };
        Ok(opened::the_one((metadata.dev(), metadata.ino()), zone))
    }

    /// Where its file lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.length
    }

    /// Makes fingerprints, under the key that only those who may open the zone can read. The limit
    /// is mixed in later, so a key that several limits of one zone count by is hashed once.
    #[inline]
    #[must_use]
    pub fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// The limit of that name, kind and window, registered now if nobody has yet. Whoever comes
    /// first says how it is laid out: [`Registered::bits`] is theirs, not what was wanted.
    ///
    /// # Errors
    /// [`Refusal::Argument`] when the zone holds 1,024 limits already.
    pub fn limit(&self, wanted: &Wanted) -> Result<Registered, Refusal> {
        let registered = registry::register(self.mapping.registry(), &self.hasher, wanted);
        registered.ok_or_else(|| registry::too_many(&self.path, wanted.name))
    }

    /// Count in it by the host's clock, or by one that a test moves: by the same as everybody else.
    fn count_by(&self, clock: CountedBy) -> Result<(), Refusal> {
        clock.claim(self.mapping.counted_by(), &self.path)
    }

    /// The time on the clock that all processes of the host share: the monotonic one, since boot.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Ticks {
        let now = self.clock.now();
        if now >= self.compare_at.load(Relaxed) {
            self.compare(now);
        }
        now
    }

    #[cold]
    fn compare(&self, now: Ticks) {
        self.compare_at.store(now + COMPARE_EVERY, Relaxed);
        let (shared, known) = (self.mapping.unix_offset(), self.offset());
        if let Some(new) = self.clock.unix_offset(known) {
            // If another process was faster, theirs is as good.
            let _ = shared.compare_exchange(known, new, Relaxed, Relaxed);
        }
    }

    /// What to add to [`Zone::now`] for Unix time: one figure for all processes of the zone. It is
    /// renewed by [`Zone::now`], when the two clocks have parted by more than a second.
    #[inline]
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.mapping.unix_offset().load(Relaxed)
    }

    /// What is held of a key: a payload of 0 if nothing is. Where there is no room for it, what the
    /// limit's overflow slot holds. Changes nothing.
    #[inline]
    #[must_use]
    pub fn look(&self, limit: LimitId, key: Fingerprint, now: Ticks) -> Found {
        let seat = self.seat(limit, key);
        let found = self.table().look(seat);
        found.unwrap_or_else(|| self.look_beyond(limit, seat, now))
    }

    #[cold]
    fn look_beyond(&self, limit: LimitId, seat: Seat, now: Ticks) -> Found {
        if self.table().is_full(seat, now, &self.around(|| now)) {
            self.overflow_of(limit).look()
        } else {
            Found::NOTHING
        }
    }

    /// A key that lies where most do, as it is now. `None`: it lies elsewhere, or nowhere.
    #[inline]
    fn member(&self, limit: LimitId, key: Fingerprint) -> Option<Member<'_>> {
        self.table().member(self.seat(limit, key))
    }

    /// Change what is held of a key by one swap.
    ///
    /// `change` says what to hold instead, or `None` for no change, and what to return. It is called
    /// again when another process was faster, and with a later time, from `clock`, when the key had
    /// to be inserted; what its last call returns is returned. It is called with a payload of 0 for a
    /// key that is not held, and then `None` inserts nothing.
    ///
    /// A key for which there is no room shares the limit's overflow slot with all others of that
    /// kind; it gets a slot of its own, and begins afresh there, when one is free.
    #[inline]
    pub fn update<R>(
        &self,
        limit: LimitId,
        key: Fingerprint,
        now: Ticks,
        clock: &impl Fn() -> Ticks,
        mut change: impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Updated<R> {
        let (table, seat) = (self.table(), self.seat(limit, key));
        let updated = table.update(seat, now, &self.around(clock), &mut change);
        updated.unwrap_or_else(|| self.update_beyond(limit, now, &mut change))
    }

    #[cold]
    #[inline(never)]
    fn update_beyond<R>(
        &self,
        limit: LimitId,
        now: Ticks,
        change: &mut impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Updated<R> {
        let overflow = self.overflow_of(limit);
        overflow.count();
        overflow.update_any(now, change)
    }

    /// The same where it was found or updated before, without a search. `None`, and nothing is
    /// changed, if the key has left that slot since: it was idle, or reset.
    #[inline]
    pub fn update_at<R>(
        &self,
        limit: LimitId,
        key: Fingerprint,
        tenancy: Tenancy,
        now: Ticks,
        mut change: impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Option<Updated<R>> {
        if tenancy.is_overflow() {
            let overflow = self.overflow_of(limit);
            return overflow.update(tenancy, now, &mut change);
        }
        let seat = self.seat(limit, key);
        self.table().update_at(seat, tenancy, now, &mut change)
    }

    /// Forget a key. What it has spent in the overflow slot stays spent.
    pub fn remove(&self, limit: LimitId, key: Fingerprint) {
        self.table().remove(self.seat(limit, key));
    }

    /// Forget all keys of a limit: a few milliseconds for 10 MB.
    pub fn clear(&self, limit: LimitId) {
        self.table().clear(limit);
        self.overflow_of(limit).clear();
    }

    /// How many keys of a limit are held and not idle: a look at every slot.
    #[must_use]
    pub fn count(&self, limit: LimitId, now: Ticks) -> usize {
        let payloads = self.table().payloads(limit);
        payloads
            .filter(|&payload| !self.is_idle(limit, payload, now))
            .count()
    }

    /// How many updates of a limit its overflow slot has decided, of all processes since the zone
    /// was made.
    #[must_use]
    pub fn overflowed(&self, limit: LimitId) -> u64 {
        self.overflow_of(limit).updates()
    }

    #[inline]
    fn table(&self) -> Table<'_> {
        Table(self.mapping.sets())
    }

    #[inline]
    fn seat(&self, limit: LimitId, key: Fingerprint) -> Seat {
        Seat::new(limit, key, self.mapping.sets().len())
    }

    #[inline]
    fn overflow_of(&self, limit: LimitId) -> &Overflow {
        &self.mapping.overflow()[usize::from(limit.0)]
    }

    fn is_idle(&self, limit: LimitId, payload: u128, now: Ticks) -> bool {
        registry::is_idle(self.mapping.registry(), limit, payload, now)
    }

    #[inline]
    fn around<C: Fn() -> Ticks>(&self, clock: C) -> ZoneAround<'_, C> {
        ZoneAround { zone: self, clock }
    }
}

/// What the table has to ask of the zone.
struct ZoneAround<'a, C> {
    zone: &'a Zone,
    clock: C,
}

impl<C: Fn() -> Ticks> Around for ZoneAround<'_, C> {
    fn now(&self) -> Ticks {
        (self.clock)()
    }

    fn is_idle(&self, limit: LimitId, payload: u128, now: Ticks) -> bool {
        self.zone.is_idle(limit, payload, now)
    }
}
