//! The permits that this process holds, to be renewed together. A forked child holds none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::ZoneStore;
use super::permits::Counted;
use crate::clock::Ticks;
use crate::fork::{self, Forks, Held, HeldLock};
use crate::store::Fingerprint;
use crate::store::fork::locked_now;
use crate::store::zone::word::Counters;

/// A lease is renewed so often.
const RENEWALS: Ticks = 3;

/// The permits of one limiter that this process holds.
pub struct Leases {
    /// Where they count.
    pub store: Arc<ZoneStore<Counters>>,
    /// Never waited for long: what is done under it are swaps in the zone.
    held: Mutex<HeldHere>,
}

#[derive(Default)]
struct HeldHere {
    permits: BTreeMap<u64, (Fingerprint, Counted)>,
    last: u64,
}

impl Leases {
    /// Of nobody yet.
    #[must_use]
    pub fn new(store: Arc<ZoneStore<Counters>>) -> Arc<Self> {
        let leases = Arc::new(Self {
            store,
            held: Mutex::default(),
        });
        let weak = Arc::downgrade(&leases);
        fork::register(weak);
        leases
    }

    /// The number of a permit, if one is free.
    pub fn take(&self, key: Fingerprint) -> Option<u64> {
        let counted = self.store.take(key, 1)?;
        let mut held = locked_now(&self.held);
        held.last += 1;
        let number = held.last;
        held.permits.insert(number, (key, counted));
        Some(number)
    }

    /// Whether this process holds it.
    pub fn holds(&self, number: u64) -> bool {
        let held = locked_now(&self.held);
        let permit = held.permits.get(&number);
        permit.is_some_and(|(_, counted)| self.store.lasts(*counted))
    }

    /// Give it back. Does nothing the second time, nor in a forked child.
    pub fn release(&self, number: u64) {
        let permit = locked_now(&self.held).permits.remove(&number);
        if let Some((key, counted)) = permit {
            self.store.give(key, counted, 1);
        }
    }

    /// Renew the lease of all that are held; those that are lost are held no longer. How long until
    /// it is to be done again, if there is one.
    pub fn renew(&self) -> Option<Ticks> {
        let mut held = locked_now(&self.held);
        held.permits.retain(|_, (key, counted)| {
            let renewed = self.store.renew(*key, *counted, 1);
            renewed.map(|renewed| *counted = renewed).is_some()
        });
        let some = !held.permits.is_empty();
        some.then(|| (self.store.lease() / RENEWALS).max(1))
    }
}

impl Forks for Leases {
    fn hold(self: Arc<Self>) -> Box<dyn Held> {
        HeldLock::of(self, |leases| &leases.held, |_, held| held.permits.clear())
    }
}
