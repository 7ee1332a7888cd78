//! The permits that calls of this process hold: their leases are renewed until they are given back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Ticks;
use crate::decision::Receipt;
use crate::fork::{self, Forks, Held, HeldLock};
use crate::store::Fingerprint;
use crate::store::zone::ZonePart;

/// How often a lease is renewed in its time: one renewal may come late.
const RENEWALS: Ticks = 3;

/// Permits, by numbers of their own. A child that was forked holds none.
pub struct HeldPermits(Mutex<Permits>);

#[derive(Default)]
struct Permits {
    last: u64,
    by_number: BTreeMap<u64, Permit>,
}

/// What one spend has taken.
struct Permit {
    part: Arc<dyn ZonePart>,
    key: Fingerprint,
    /// Another one after each renewal.
    receipt: Receipt,
    renew_at: Ticks,
}

impl Permit {
    fn renewed(&mut self, now: Ticks, lease: Ticks) -> bool {
        let renewed = self.part.renew(self.key, &self.receipt);
        if let Some(receipt) = renewed {
            self.receipt = receipt;
            self.renew_at = now.saturating_add(lease / RENEWALS);
        }
        renewed.is_some()
    }
}

impl HeldPermits {
    /// None yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let this = Arc::new(Self(Mutex::default()));
        let forks: Arc<dyn Forks> = this.clone();
        fork::register(Arc::downgrade(&forks));
        this
    }

    fn permits(&self) -> MutexGuard<'_, Permits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Note what was spent. The receipt by which it is known here.
    pub(super) fn hold(
        &self,
        part: &Arc<dyn ZonePart>,
        key: Fingerprint,
        receipt: Receipt,
    ) -> Receipt {
        let lease = part.lease().unwrap_or(Ticks::MAX);
        let permit = Permit {
            part: Arc::clone(part),
            key,
            receipt,
            renew_at: part.now().saturating_add(lease / RENEWALS),
        };
        let mut permits = self.permits();
        permits.last += 1;
        let number = permits.last;
        permits.by_number.insert(number, permit);
        receipt.with_mark(u128::from(number))
    }

    /// Let go of what is known by such a receipt: the receipt by which it is to be given back now, if
    /// it is held.
    pub(super) fn take(&self, receipt: &Receipt) -> Option<Receipt> {
        let number = receipt.mark() as u64;
        let mut permits = self.permits();
        let is_it = permits.by_number.get(&number).is_some_and(|permit| {
            (permit.receipt.store, permit.receipt.key) == (receipt.store, receipt.key)
        });
        let permit = is_it.then(|| permits.by_number.remove(&number)).flatten();
        drop(permits);
        permit.map(|permit| permit.receipt)
    }

    /// Renew the leases of which a third is over. Until when the next is to be renewed, from now;
    /// `None` when nothing is held.
    pub fn renew(&self) -> Option<Ticks> {
        let numbers: Vec<u64> = self.permits().by_number.keys().copied().collect();
        let mut next = None;
        for number in numbers {
            // Let go of the lock after each: whoever takes or gives back a permit needs it.
            let left = self.renew_one(number);
            next = [next, left].into_iter().flatten().min();
        }
        next
    }

    fn renew_one(&self, number: u64) -> Option<Ticks> {
        let mut permits = self.permits();
        let permit = permits.by_number.get_mut(&number)?;
        let (now, lease) = (permit.part.now(), permit.part.lease()?);
        if permit.renew_at <= now && !permit.renewed(now, lease) {
            permits.by_number.remove(&number);
            return None;
        }
        Some(permit.renew_at.saturating_sub(now))
    }

    /// How many spends are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.permits().by_number.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Forks for HeldPermits {
    fn hold(self: Arc<Self>) -> Box<dyn Held> {
        HeldLock::of(self, |this| &this.0, |_, permits| permits.by_number.clear())
    }
}
