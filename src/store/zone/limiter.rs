//! STAND-IN until the limiters of a zone are there: just what a gate needs of them.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use super::word::{Counters, Word};
use super::joint::ZonePart;
use super::{LimitId, Refusal, Tenancy, Wanted, Zone};
use crate::algorithm::{AnyAlgorithm, FixedWindow, SlidingCounter, Spend};
use crate::clock::{Clock, Ticks};
use crate::decision::{Decision, Receipt, Source};
use crate::error;
use crate::quota::Quota;
use crate::store::{Ask, Fingerprint, Patience, Result, Statistics, Store};

/// A limit in a zone.
pub struct ZoneStore<W: Word> {
    pub(super) zone: Arc<Zone>,
    pub(super) id: LimitId,
    pub(super) clock: Clock,
    pub(super) number: u32,
    algorithm: RwLock<W>,
    pub(super) admitted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) would_have_refused: AtomicU64,
}

/// The limit of that name.
///
/// # Errors
/// See [`Zone::limit`].
pub fn part_in_zone(
    zone: &Arc<Zone>,
    name: &str,
    algorithm: &AnyAlgorithm,
    largest: u32,
    clock: &Clock,
) -> std::result::Result<Arc<dyn ZonePart>, Refusal> {
    Ok(match algorithm {
        AnyAlgorithm::FixedWindow(_) => made::<FixedWindow>(zone, name, algorithm, largest, clock)?,
        AnyAlgorithm::SlidingCounter(_) => {
            made::<SlidingCounter>(zone, name, algorithm, largest, clock)?
        }
        AnyAlgorithm::TokenBucket(_) => {
            made::<super::word::BucketWord>(zone, name, algorithm, largest, clock)?
        }
        _ => made::<Counters>(zone, name, algorithm, largest, clock)?,
    })
}

fn made<W: Word>(
    zone: &Arc<Zone>,
    name: &str,
    algorithm: &AnyAlgorithm,
    largest: u32,
    clock: &Clock,
) -> std::result::Result<Arc<ZoneStore<W>>, Refusal> {
    static NUMBERS: AtomicU32 = AtomicU32::new(1 << 30);
    let invalid = |error: error::Error| Refusal::Argument(error.to_string());
    let large = match algorithm {
        AnyAlgorithm::SegmentedWindow(this) => AnyAlgorithm::SegmentedWindow(
            crate::algorithm::SegmentedWindow::new(largest.max(this.limit), this.window),
        ),
        other => other.clone(),
    };
    let wanted = W::of(&large, None).map_err(invalid)?;
    let registered = zone.limit(&Wanted {
        name,
        kind: wanted.kind(),
        window: wanted.registered_window(),
        bits: wanted.bits(),
    })?;
    Ok(Arc::new(ZoneStore {
        zone: Arc::clone(zone),
        id: registered.id,
        clock: clock.clone(),
        number: NUMBERS.fetch_add(1, Relaxed),
        algorithm: RwLock::new(W::of(algorithm, Some(registered.bits)).map_err(invalid)?),
        admitted: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        would_have_refused: AtomicU64::new(0),
    }))
}

impl<W: Word> ZoneStore<W> {
    fn own(&self) -> W {
        let own = self.algorithm.read().unwrap_or_else(PoisonError::into_inner);
        own.clone().aligned(self.offset())
    }

    fn offset(&self) -> i64 {
        match &self.clock {
            Clock::System(_) => self.zone.offset(),
            Clock::Manual(_) => self.clock.offset(),
        }
    }

    /// The algorithm by a quota.
    pub(super) fn by(&self, quota: Option<&Quota>) -> error::Result<W> {
        let own = self.own();
        quota.map_or_else(|| Ok(own.clone()), |quota| own.under(quota))
    }

    /// A time at which a state can be unpacked.
    pub(super) fn time_for(&self, algorithm: &W, payload: u128, now: Ticks) -> Ticks {
        if algorithm.is_ahead(payload, now) {
            self.now().max(now)
        } else {
            now
        }
    }

    pub(super) fn decision(
        &self,
        algorithm: &W,
        state: &W::State,
        now: Ticks,
        cost: u32,
        allowed: bool,
    ) -> Decision {
        let cost = cost.min(algorithm.limit());
        let wait = || algorithm.wait(state, now, cost).unwrap_or(1_000_000).max(1);
        Decision {
            allowed,
            limit: algorithm.limit(),
            remaining: algorithm.remaining(state, now),
            retry_after: if allowed { 0 } else { wait() },
            reset_after: algorithm.reset_after(state, now),
            at: self.unix(now),
            source: Source::Memory,
            receipt: Receipt {
                cost,
                at: now,
                epoch: algorithm.kind_of_marks(),
                ..Receipt::NONE.with_mark(algorithm.mark(state, now))
            },
        }
    }

    pub(super) fn signed(&self, decision: Decision, key: Fingerprint, at: Tenancy) -> Decision {
        if !decision.allowed {
            return Decision {
                receipt: Receipt::NONE,
                ..decision
            };
        }
        Decision {
            receipt: Receipt {
                store: self.number,
                key: key.tag(),
                number: at.number(),
                ..decision.receipt
            },
            ..decision
        }
    }
}

impl<W: Word> Store for ZoneStore<W> {
    fn fingerprint(&self, key: &[u8]) -> Fingerprint {
        self.zone.hasher().fingerprint(key)
    }
    fn limit(&self) -> u32 {
        self.own().limit()
    }
    fn window(&self) -> Ticks {
        self.own().window()
    }
    fn now(&self) -> Ticks {
        match &self.clock {
            Clock::System(_) => self.zone.now(),
            Clock::Manual(clock) => clock.now(),
        }
    }
    fn unix(&self, at: Ticks) -> Ticks {
        at.saturating_add_signed(self.offset())
    }
    fn is_manual(&self) -> bool {
        matches!(self.clock, Clock::Manual(_))
    }
    fn len(&self) -> usize {
        self.zone.count(self.id, self.now())
    }
    fn examine(&self, ask: Ask<'_>, _: Patience) -> Result<u32> {
        let limit = self.by(ask.quota)?.limit();
        error::fits(ask.cost, limit)?;
        Ok(limit)
    }
    fn is_allowed(&self, _: Ask<'_>, _: Option<Ticks>, _: Patience) -> Result<bool> {
        todo!()
    }
    fn check(&self, _: Ask<'_>, _: Option<Ticks>, _: Patience) -> Result<Decision> {
        todo!()
    }
    fn peek(&self, _: Ask<'_>, _: Patience) -> Result<Decision> {
        todo!()
    }
    fn first_free_at(&self, _: Fingerprint, _: Patience) -> Result<Ticks> {
        todo!()
    }
    fn admit_many(
        &self,
        _: &[Fingerprint],
        _: u32,
        _: Option<&Quota>,
        _: &mut [Option<bool>],
        _: Patience,
    ) -> Result<()> {
        todo!()
    }
    fn refund(&self, _: Fingerprint, _: u32, _: Patience) -> Result<()> {
        todo!()
    }
    fn refund_spend(
        &self,
        key: Fingerprint,
        receipt: &Receipt,
        units: u32,
        _: Patience,
    ) -> Result<()> {
        let algorithm = self.own();
        let tenancy = Tenancy::from_number(receipt.number);
        let spend = Spend {
            at: receipt.at,
            mark: receipt.mark(),
        };
        self.zone
            .update_at(self.id, key, tenancy, self.now(), |seen| {
                let now = self.time_for(&algorithm, seen.found.payload, seen.now);
                let mut state = algorithm.unpack(seen.found.payload, now);
                algorithm.give_back(&mut state, now, spend, units);
                (Some(algorithm.pack(&state)), ())
            });
        Ok(())
    }
    fn is_mine(&self, receipt: &Receipt) -> bool {
        receipt.store == self.number
    }
    fn reset(&self, key: Fingerprint, _: Patience) -> Result<()> {
        self.zone.remove(self.id, key);
        Ok(())
    }
    fn clear(&self) {
        self.zone.clear(self.id);
    }
    fn set_quota(&self, quota: AnyAlgorithm) -> bool {
        let bits = self.own().bits();
        let Ok(new) = W::of(&quota, Some(bits)) else {
            return false;
        };
        *self
            .algorithm
            .write()
            .unwrap_or_else(PoisonError::into_inner) = new;
        true
    }
    fn statistics(&self, _: Patience) -> Result<Statistics> {
        Ok(Statistics {
            admitted: self.admitted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            would_have_refused: self.would_have_refused.load(Relaxed),
            keys: self.len(),
            overflowed: self.zone.overflowed(self.id),
            ..Statistics::default()
        })
    }
}
