//! A gate whose limits are kept in a zone: it looks at all, then spends from one after the other.
//!
//! No lock holds the others off in between, so a limit may be empty by the time it is spent from.
//! Then the call gives back what it has spent so far and is refused. A process that dies on the way
//! has spent something and used nothing; that lapses as any spend does. Nothing is ever over its
//! limit: each spend is a swap that fits.

mod held;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::order::Order;
use super::{LimitAsk, MOST_LIMITS, Verdict};
use crate::clock::Ticks;
use crate::decision::Receipt;
use crate::error::{Error, Result};
use crate::store::zone::steps::{self, Mutant, Step};
use crate::store::zone::{Asked, Tenancy, ZonePart};
use crate::store::{self, Fingerprint, Patience};

pub use held::HeldPermits;

/// A limit of a gate.
pub struct ZoneLimit {
    /// Where its keys are kept, by its quota. No other limit of the gate has the same.
    pub part: Arc<dyn ZonePart>,
    /// Whether it only watches: it refuses nobody, and counts whom it would have refused.
    pub is_shadow: bool,
}

/// Several limits in one zone, with one decision.
pub struct ZoneGate {
    limits: Box<[ZoneLimit]>,
    /// Their numbers in the zone, by which all gates of all processes spend.
    numbers: Box<[u64]>,
    held: Arc<HeldPermits>,
    lost_races: AtomicU64,
}

/// A call on its way: what its looks have found, by the places in the call.
struct Way<'a, 'b> {
    gate: &'a ZoneGate,
    asks: &'a mut [LimitAsk<'b>],
    now: Ticks,
    tenancies: [Tenancy; MOST_LIMITS],
    /// From which it has spent: a bit for each.
    spent: u32,
}

impl ZoneGate {
    /// A gate of these limits, which are all of one zone and one clock. The permits that its calls
    /// hold are noted in `held`.
    ///
    /// # Errors
    /// When two of them are the same limit of the zone.
    pub fn new(limits: Vec<ZoneLimit>, held: Arc<HeldPermits>) -> Result<Self> {
        let numbers = limits.iter().map(|limit| limit.part.limit_id().number());
        let numbers: Box<[_]> = numbers.map(u64::from).collect();
        for (place, number) in numbers.iter().enumerate() {
            if let Some(first) = numbers[..place].iter().position(|other| other == number) {
                let range = "limits that each have a name, an algorithm and a window of their own";
                let value = format!("limit {first} as limit {place} as well");
                return Err(Error::out_of_range("limits", &value, range));
            }
        }
        Ok(Self {
            limits: limits.into(),
            numbers,
            held,
            lost_races: AtomicU64::new(0),
        })
    }

    /// The limits, in the order in which they were given.
    #[must_use]
    pub fn limits(&self) -> &[ZoneLimit] {
        &self.limits
    }

    /// The fingerprint by which every limit knows `key`.
    ///
    /// # Panics
    /// Without any limit.
    #[inline]
    #[must_use]
    pub fn fingerprint(&self, key: &[u8]) -> Fingerprint {
        self.limits[0].part.fingerprint(key)
    }

    /// How many calls of this process found a limit empty that had room when they looked, and gave
    /// back what they had spent.
    #[must_use]
    pub fn lost_races(&self) -> u64 {
        self.lost_races.load(Relaxed)
    }

    /// Decide, and spend from every limit that is asked if none of them refuses. Each gets its own
    /// decision, which holds a receipt if it has spent: one that only watches does not if it would
    /// refuse.
    ///
    /// # Errors
    /// Nothing was spent anywhere. A cost above a limit, a limit that the gate does not have or that
    /// is asked twice, and more than [`MOST_LIMITS`] limits are invalid.
    pub fn check(&self, asks: &mut [LimitAsk<'_>]) -> Result<Verdict> {
        let order = Order::of(&self.numbers, asks)?;
        let mut way = self.looked(asks)?;
        if self.verdict(way.asks).allowed {
            steps::at(Step::GateLooked);
            way.spend_all(&order)?;
        }
        way.count();
        way.hold();
        Ok(self.verdict(way.asks))
    }

    /// Give units of one spend of a limit back, those that still count. Permits come back as a whole:
    /// only once, whatever is said of them.
    ///
    /// # Errors
    /// As [`Store::refund_spend`](crate::store::Store::refund_spend).
    pub fn give_back(
        &self,
        limit: usize,
        key: Fingerprint,
        receipt: &Receipt,
        units: u32,
    ) -> store::Result<()> {
        let part = &self.limits[limit].part;
        if part.lease().is_none() {
            return part.refund_spend(key, receipt, units, Patience::Try);
        }
        match self.held.take(receipt) {
            Some(now) => part.refund_spend(key, &now, now.cost, Patience::Try),
            None => Ok(()),
        }
    }

    /// What [`check`](Self::check) would say. Nothing is spent, and nothing counted.
    ///
    /// # Errors
    /// As there.
    pub fn peek(&self, asks: &mut [LimitAsk<'_>]) -> Result<Verdict> {
        Order::of(&self.numbers, asks)?;
        let way = self.looked(asks)?;
        Ok(self.verdict(way.asks))
    }

    /// Look at all, at one time.
    fn looked<'a, 'b>(&'a self, asks: &'a mut [LimitAsk<'b>]) -> Result<Way<'a, 'b>> {
        let mut way = Way {
            gate: self,
            asks,
            now: self.limits.first().map_or(0, |limit| limit.part.now()),
            tenancies: [Tenancy::NONE; MOST_LIMITS],
            spent: 0,
        };
        for place in 0..way.asks.len() {
            way.look(place)?;
        }
        Ok(way)
    }

    /// What the limits' decisions come to.
    #[inline]
    fn verdict(&self, asks: &[LimitAsk<'_>]) -> Verdict {
        let asks = asks.iter().enumerate();
        let enforced = asks.filter(|(_, ask)| !self.limits[ask.limit].is_shadow);
        Verdict::of(
            enforced
                .filter_map(|(place, ask)| ask.decision.as_ref().map(|decision| (place, decision))),
        )
    }
}

impl<'b> Way<'_, 'b> {
    #[inline]
    fn at(&self, place: usize) -> (&ZoneLimit, Asked<'b>) {
        let LimitAsk { limit, ask, .. } = self.asks[place];
        let limit = &self.gate.limits[limit];
        let (is_shadow, now) = (limit.is_shadow, self.now);
        let asked = Asked {
            ask,
            is_shadow,
            now,
        };
        (limit, asked)
    }

    #[inline]
    fn look(&mut self, place: usize) -> Result<()> {
        let (limit, asked) = self.at(place);
        let looked = limit.part.look_at(&asked)?;
        self.tenancies[place] = looked.tenancy;
        self.asks[place].decision = Some(looked.decision);
        Ok(())
    }

    /// Spend from all, in their order. If one refuses now, nothing is spent when this returns, and
    /// its decision is the refusal.
    #[inline]
    fn spend_all(&mut self, order: &Order) -> Result<()> {
        for &place in &order.places[..order.count] {
            let place = usize::from(place);
            if !self.asks[place].decision.is_some_and(|it| it.allowed) {
                continue; // it only watches
            }
            let (limit, asked) = self.at(place);
            let spent = limit.part.spend_at(&asked, self.tenancies[place]);
            let is_lost = match &spent {
                Ok(decision) => !decision.allowed && !limit.is_shadow,
                Err(_) => true, // its quota was changed since the look
            };
            if is_lost {
                self.give_back(order)?;
                self.asks[place].decision = Some(spent?);
                return Ok(());
            }
            let decision = spent?;
            self.spent |= u32::from(decision.allowed) << place;
            self.asks[place].decision = Some(decision);
            steps::at(Step::GateSpent);
        }
        Ok(())
    }

    /// Give back what was spent, the last first, and look at all anew, since they are to tell what is
    /// left without this call.
    #[cold]
    #[inline(never)]
    fn give_back(&mut self, order: &Order) -> Result<()> {
        self.gate.lost_races.fetch_add(1, Relaxed);
        for &place in order.places[..order.count].iter().rev() {
            let place = usize::from(place);
            if self.spent & 1 << place == 0 {
                continue;
            }
            steps::at(Step::GateGiveBack);
            let (limit, asked) = self.at(place);
            if let Some(decision) = &self.asks[place].decision
                && !steps::is_mutant(Mutant::NoGiveBack)
            {
                limit.part.take_back(&asked, &decision.receipt);
            }
            self.spent &= !(1 << place);
        }
        steps::at(Step::GateGaveBack);
        (0..self.asks.len()).try_for_each(|place| self.look(place))
    }

    /// Note the permits that were taken, so that their leases are renewed.
    #[inline]
    fn hold(&mut self) {
        for (place, ask) in self.asks.iter_mut().enumerate() {
            let part = &self.gate.limits[ask.limit].part;
            if self.spent & 1 << place != 0
                && part.lease().is_some()
                && let Some(decision) = &mut ask.decision
            {
                decision.receipt = self.gate.held.hold(part, ask.ask.key, decision.receipt);
            }
        }
    }

    /// Count it for those that have spent; a refusal, for those that refuse.
    #[inline]
    fn count(&self) {
        for (place, ask) in self.asks.iter().enumerate() {
            if let Some(decision) = &ask.decision {
                let limit = &self.gate.limits[ask.limit];
                let spent = self.spent & 1 << place != 0;
                let tenancy = self.tenancies[place];
                limit.part.count(decision, tenancy, spent, limit.is_shadow);
            }
        }
    }
}
