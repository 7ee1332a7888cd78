//! Permits of a zone: taken, renewed and given back by what one knows of it: where it was counted, and
//! in which part of the time its lease ends. A permit that is not heard of again lapses with its lease.

use super::ZoneStore;
use crate::algorithm::Algorithm;
use crate::clock::Ticks;
use crate::store::zone::table::tenancy::Tenancy;
use crate::store::zone::word::{Counters, Word};
use crate::store::{Fingerprint, Store};

/// Where a permit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The stay of the key in its slot; after a reset it is another one.
    pub tenancy: Tenancy,
    /// The part of the time with which it lapses.
    pub part: u64,
}

impl ZoneStore<Counters> {
    /// So many permits, if they are free.
    pub fn take(&self, key: Fingerprint, units: u32) -> Option<Counted> {
        let algorithm = self.algorithm();
        let now = self.time();
        let updated = self
            .zone
            .update(self.id, key, now, &|| self.time(), |seen| {
                self.with_state(algorithm, seen, |state, now| {
                    let taken = algorithm.admit(state, now, units);
                    (taken, taken.then(|| algorithm.mark(state, now) as u64))
                })
            });
        self.counts.count(updated.result.is_some(), updated.tenancy);
        updated.result.map(|part| Counted {
            tenancy: updated.tenancy,
            part,
        })
    }

    /// Begin the lease of so many anew, however many are held. `None`: it was over, or the key has been
    /// reset.
    pub fn renew(&self, key: Fingerprint, counted: Counted, units: u32) -> Option<Counted> {
        let algorithm = self.algorithm();
        let Counted { tenancy, part } = counted;
        let updated = self
            .zone
            .update_at(self.id, key, tenancy, self.time(), |seen| {
                self.with_state(algorithm, seen, |state, now| {
                    let moved = algorithm.move_units(state, now, part, units);
                    (moved.is_some(), moved)
                })
            });
        let part = updated?.result?;
        Some(Counted { tenancy, part })
    }

    /// Give so many back, if they count.
    pub fn give(&self, key: Fingerprint, counted: Counted, units: u32) {
        let algorithm = self.algorithm();
        let Counted { tenancy, part } = counted;
        self.zone
            .update_at(self.id, key, tenancy, self.time(), |seen| {
                self.with_state(algorithm, seen, |state, now| {
                    (algorithm.take_out(state, now, part, units) > 0, ())
                })
            });
        self.wake_first(key);
    }

    /// Whether the lease of one that was neither given back nor reset goes on.
    #[must_use]
    pub fn lasts(&self, counted: Counted) -> bool {
        self.time() < self.algorithm().over_at(counted.part)
    }

    /// How many permits of a key are held, and how long until the first of them lapses if it is not
    /// renewed.
    pub fn in_use(&self, key: Fingerprint) -> (u32, Option<Ticks>) {
        let (algorithm, now) = (self.algorithm(), self.time());
        let state = algorithm.unpack(self.zone.look(self.id, key, now).payload, now);
        let first = algorithm.first_free_at(&state, now);
        (algorithm.used(&state, now), first.map(|at| at - now))
    }

    /// The lease.
    #[must_use]
    pub fn lease(&self) -> Ticks {
        self.window()
    }
}
