//! A gate whose limits are kept in memory: the locks of all are held while the call is decided.
//!
//! Each limit locks its key's shard and looks, then asks the next one, and spends on the way back. So
//! the locks are taken one after the other in the order of the stores, which forks follow as well, and
//! live on the stack.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::errand::{Errand, Intent};
use super::order::Order;
use super::{LimitAsk, Verdict};
use crate::clock::Ticks;
use crate::error::Error;
use crate::store::{
    Again, Agree, Applicant, Fingerprint, Halt, JointResult, JointStore, KeyHasher, Part, Patience,
    Purpose, Result, Statistics, Stop,
};

/// A limit of a gate.
pub struct Limit {
    /// Where its keys are kept, by its quota. No other limit of the gate has the same.
    pub store: Arc<dyn JointStore>,
    /// Whether it only watches: it refuses nobody, and counts whom it would have refused.
    pub is_shadow: bool,
}

/// Several limits in memory, with one decision.
pub struct MemoryGate {
    limits: Box<[Limit]>,
    /// The places of their stores in the order of locks.
    locks: Box<[u64]>,
    /// Whether all are on the machine's clock, so that one look at it is enough.
    has_one_clock: bool,
    hasher: KeyHasher,
    /// Whether another gate has taken its place.
    is_replaced: AtomicBool,
}

/// After so many waiters have been reviewed a call that does not wait for locks lets go of what it
/// holds.
const MOST_REVIEWS: usize = 16;

/// A call on its way through the limits.
struct Walk<'a, 'b> {
    gate: &'a MemoryGate,
    asks: &'a mut [LimitAsk<'b>],
    order: Order,
    purpose: Purpose,
    patience: Patience,
    now: Option<Ticks>,
    /// Which have no room for a new key, by their place in the call.
    without_room: u32,
    /// Who was asked last, by the place in the call.
    current: usize,
    /// What it may have to wait for, or whom it has met that waits.
    errand: Option<&'a Errand<'a>>,
}

impl MemoryGate {
    /// A gate of these limits.
    ///
    /// # Errors
    /// When two of them have the same store.
    pub fn new(limits: Vec<Limit>) -> crate::error::Result<Self> {
        let locks: Box<[_]> = limits.iter().map(|limit| limit.store.place()).collect();
        for (place, lock) in locks.iter().enumerate() {
            if let Some(first) = locks[..place].iter().position(|other| other == lock) {
                let range = "limits that each have a store of their own";
                let value = format!("the store of limit {first} for limit {place} as well");
                return Err(Error::out_of_range("limits", &value, range));
            }
        }
        Ok(Self {
            has_one_clock: limits.iter().all(|limit| !limit.store.is_manual()),
            limits: limits.into(),
            locks,
            hasher: KeyHasher::of_process(),
            is_replaced: AtomicBool::new(false),
        })
    }

    /// The mutant: it locks in an order of its own.
    #[cfg(test)]
    pub(super) fn locking_as_given(self) -> Self {
        let locks = (0..self.limits.len() as u64).collect();
        Self { locks, ..self }
    }

    /// The limits, in the order in which they were given.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// The fingerprint by which every limit knows `key`.
    #[inline]
    #[must_use]
    pub fn fingerprint(&self, key: &[u8]) -> Fingerprint {
        self.hasher.fingerprint(key)
    }

    /// Decide, and spend from every limit that is asked if none of them refuses. Each gets its own
    /// decision, which holds a receipt if it has spent: one that only watches does not if it would
    /// refuse.
    ///
    /// # Errors
    /// [`Stop`](crate::store::Stop): nothing was spent anywhere. A cost above a limit, a limit that the
    /// gate does not have or that is asked twice, and more than [`MOST_LIMITS`] limits are invalid.
    pub fn check(&self, asks: &mut [LimitAsk<'_>], patience: Patience) -> Result<Verdict> {
        self.decide(asks, Purpose::Spend, patience)
    }

    /// What [`check`](Self::check) would say. Nothing is spent, and nothing counted.
    ///
    /// # Errors
    /// As there.
    pub fn peek(&self, asks: &mut [LimitAsk<'_>], patience: Patience) -> Result<Verdict> {
        self.decide(asks, Purpose::Look, patience)
    }

    /// Counts of each limit since its store was made. A call that was refused counts for those limits
    /// that refuse it; for the others it was nothing.
    ///
    /// # Errors
    /// [`Stop::Locked`](crate::store::Stop::Locked).
    pub fn statistics(&self, patience: Patience) -> Result<Vec<Statistics>> {
        let limits = self.limits.iter();
        limits
            .map(|limit| limit.store.statistics(patience))
            .collect()
    }

    fn decide(
        &self,
        asks: &mut [LimitAsk<'_>],
        purpose: Purpose,
        patience: Patience,
    ) -> Result<Verdict> {
        let order = Order::of(&self.locks, asks)?;
        let mut walk = Walk {
            gate: self,
            asks,
            order,
            purpose,
            patience,
            now: None,
            without_room: 0,
            current: 0,
            errand: None,
        };
        walk.go()?;
        Ok(self.verdict(walk.asks))
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

    /// Decide for one who may wait. `None`: it does not wait any more, though it says so.
    pub(super) fn send(
        &self,
        asks: &mut [LimitAsk<'_>],
        errand: &Errand<'_>,
        patience: Patience,
    ) -> Result<Option<Verdict>> {
        let order = Order::of(&self.locks, asks)?;
        let mut walk = Walk {
            gate: self,
            asks,
            order,
            purpose: Purpose::Spend,
            patience,
            now: None,
            without_room: 0,
            current: 0,
            errand: Some(errand),
        };
        let is_there = walk.go()?;
        Ok(is_there.then(|| self.verdict(walk.asks)))
    }

    /// The time for those who wait, by the first limit's clock.
    pub(super) fn now_by_first(&self) -> Ticks {
        self.limits.first().map_or(0, |limit| limit.store.now())
    }

    /// Another gate takes its place.
    pub(super) fn replace(&self) {
        self.is_replaced.store(true, SeqCst);
    }

    pub(super) fn is_replaced(&self) -> bool {
        self.is_replaced.load(SeqCst)
    }

    /// The time for all limits, if they share a clock.
    fn now(&self) -> Option<Ticks> {
        let first = self.limits.first().filter(|_| self.has_one_clock);
        first.map(|limit| limit.store.now())
    }
}

impl Walk<'_, '_> {
    /// Go through all limits, and again as often as one has to do something without locks. False: the
    /// call does not wait any more, though it says so.
    fn go(&mut self) -> Result<bool> {
        let (purpose, mut reviews) = (self.purpose, 0);
        loop {
            self.purpose = purpose;
            self.now = self.gate.now();
            if let Some(errand) = self.errand {
                errand.begin();
            }
            match self.ask_from(0) {
                Ok(_) => return Ok(true),
                Err(Halt::Stop(stop)) => return Err(stop),
                Err(Halt::Gone) => return Ok(false),
                Err(Halt::Again(again)) => self.begin_again(again)?,
                Err(Halt::Review(first)) => {
                    let Some(errand) = self.errand else {
                        return self.go_with_errand(&*first);
                    };
                    reviews += 1;
                    if reviews > MOST_REVIEWS && self.patience == Patience::Try {
                        return Err(Stop::Locked);
                    }
                    errand.review(&*first, self.patience)?;
                }
            }
        }
    }

    fn begin_again(&mut self, again: Again) -> Result<()> {
        let store = &self.gate.limits[self.asks[self.current].limit].store;
        let has_room = store.begin_again(again, self.patience)?;
        let bit = 1 << self.current;
        self.without_room = self.without_room & !bit | if has_room { 0 } else { bit };
        Ok(())
    }

    /// The same for a call that has met one who waits, to be reviewed.
    #[cold]
    #[inline(never)]
    fn go_with_errand(&mut self, first: &dyn Applicant) -> Result<bool> {
        let errand = Errand::new(Intent::Answer);
        errand.review(first, self.patience)?;
        let mut walk = Walk {
            gate: self.gate,
            asks: &mut *self.asks,
            order: self.order,
            errand: Some(&errand),
            ..*self
        };
        walk.go()
    }

    /// Ask the limits from this position of the order on. Says whether all are to spend.
    fn ask_from(&mut self, position: usize) -> JointResult<bool> {
        if position == self.order.count {
            let all_admit = self.purpose == Purpose::Spend;
            return match self.errand {
                None => Ok(all_admit),
                Some(errand) => errand.decide(all_admit),
            };
        }
        let place = usize::from(self.order.places[position]);
        self.current = place;
        let LimitAsk { limit, ask, .. } = self.asks[place];
        let Limit { store, is_shadow } = &self.gate.limits[limit];
        if let Some(errand) = self.errand {
            return self.ask_with_errand(position, errand);
        }
        let part = Part {
            ask,
            is_shadow: *is_shadow,
            now: self.now,
            purpose: self.purpose,
            may_have_room: self.without_room & 1 << place == 0,
            patience: self.patience,
            queuing: None,
        };
        let mut all_agree = false;
        let agree: Agree<'_> = &mut |fits| {
            if !fits && !is_shadow && self.purpose == Purpose::Spend {
                self.purpose = Purpose::Count;
            }
            all_agree = self.ask_from(position + 1)?;
            Ok(all_agree)
        };
        let decision = store.take_part(&part, agree)?;
        self.asks[place].decision = Some(decision);
        Ok(all_agree)
    }

    /// The same for one who may wait, or has met others who do.
    #[cold]
    #[inline(never)]
    fn ask_with_errand(&mut self, position: usize, errand: &Errand<'_>) -> JointResult<bool> {
        let place = self.current;
        let LimitAsk { limit, ask, .. } = self.asks[place];
        let Limit { store, is_shadow } = &self.gate.limits[limit];
        let queuing = errand.queuing();
        let part = Part {
            ask,
            is_shadow: *is_shadow,
            now: self.now,
            purpose: self.purpose,
            may_have_room: self.without_room & 1 << place == 0,
            patience: self.patience,
            queuing: Some(&queuing),
        };
        let mut all_agree = false;
        let agree: Agree<'_> = &mut |fits| {
            if !fits && !is_shadow {
                errand.is_refused(place, queuing.told.get());
                if self.purpose == Purpose::Spend {
                    self.purpose = Purpose::Count;
                }
            }
            all_agree = self.ask_from(position + 1)?;
            queuing.fate.set(errand.fate_at(place));
            Ok(all_agree)
        };
        let decision = store.take_part(&part, agree)?;
        errand.is_done(&queuing);
        self.asks[place].decision = Some(decision);
        Ok(all_agree)
    }
}
