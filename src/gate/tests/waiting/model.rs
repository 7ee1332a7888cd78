//! Random callers against a list of those who wait, by their numbers.
//!
//! Whoever waits polls only when it was woken, or when its time has come: so one that is forgotten is
//! found.

mod run;
mod verbs;

use std::collections::BTreeMap;

use super::super::oracle::{Asked, LIMITS, Pair, pairs};
use super::*;

type Ways = [Asked; LIMITS];
/// A limit, its key, and the cost.
type Part = (usize, u8, u32);

/// One who waits, as it has to be.
struct One {
    parts: Vec<Part>,
    deadline: Ticks,
    waiting: Waiting,
    poll_at: Ticks,
}

/// What a call may be told.
#[derive(Debug, PartialEq, Eq)]
enum May {
    BeRefused,
    BeAdmitted,
    /// One who goes first could be admitted, and has not come yet.
    Either,
}

struct World {
    clock: Arc<ManualClock>,
    pairs: [Pair; LIMITS],
    shadows: [bool; LIMITS],
    /// Two gates over the same stores, in another order.
    gates: [Arc<MemoryGate>; 2],
    all: BTreeMap<u64, One>,
    /// Whether those who wait have timers. If not, each move of the clock wakes them.
    has_timers: bool,
    counts: [[u64; 3]; LIMITS],
}

type Check<T = ()> = Result<T, String>;

fn parts_of(ways: &Ways) -> Vec<Part> {
    let parts = ways.iter().enumerate();
    parts
        .filter_map(|(limit, way)| way.map(|(name, cost, _)| (limit, name, cost)))
        .collect()
}

impl World {
    fn new(shadows: [bool; LIMITS], has_timers: bool) -> Self {
        let clock = Arc::new(ManualClock::new(0));
        let pairs = pairs(&clock);
        let limits = || {
            let limits = pairs.iter().zip(shadows).map(|(pair, is_shadow)| Limit {
                store: Arc::clone(&pair.store),
                is_shadow,
            });
            limits.collect::<Vec<_>>()
        };
        let reversed = limits().into_iter().rev().collect();
        Self {
            gates: [Arc::new(gate(limits())), Arc::new(gate(reversed))],
            clock,
            pairs,
            shadows,
            all: BTreeMap::new(),
            has_timers,
            counts: [[0; 3]; LIMITS],
        }
    }

    fn fits(&self, (limit, name, cost): Part) -> bool {
        let (fits, ..) = self.pairs[limit]
            .oracle
            .look(name, cost, 0, self.clock.now());
        fits || self.shadows[limit]
    }

    /// Whether one before `number` waits for this key, and is refused it now.
    fn is_blocked(&self, (limit, name, _): Part, number: u64) -> bool {
        let before = self.all.range(..number);
        let mut parts = before.flat_map(|(_, one)| &one.parts);
        parts.any(|&other| (other.0, other.1) == (limit, name) && !self.fits(other))
    }

    fn is_refused(&self, part: Part, number: u64) -> bool {
        !self.shadows[part.0] && (!self.fits(part) || self.is_blocked(part, number))
    }

    fn is_admissible(&self, parts: &[Part], number: u64) -> bool {
        !parts.iter().any(|&part| self.is_refused(part, number))
    }

    /// Whether one before `number` waits for this key, could be admitted everywhere, and has not come.
    fn is_held(&self, (limit, name, _): Part, number: u64) -> bool {
        let mut before = self.all.range(..number);
        let meets = |one: &One| {
            one.parts
                .iter()
                .any(|part| (part.0, part.1) == (limit, name))
        };
        before.any(|(&other, one)| meets(one) && self.is_admissible(&one.parts, other))
    }

    fn may(&self, parts: &[Part], number: u64) -> May {
        if !self.is_admissible(parts, number) {
            May::BeRefused
        } else if parts.iter().any(|&part| self.is_held(part, number)) {
            May::Either
        } else {
            May::BeAdmitted
        }
    }

    /// Whether that is what may be told, and by whom it is refused.
    fn examine(&self, parts: &[Part], number: u64, told: &Verdict) -> Check {
        let may = self.may(parts, number);
        let is_wrong = match may {
            May::BeRefused => told.allowed,
            May::BeAdmitted => !told.allowed,
            May::Either => false,
        };
        if is_wrong {
            return Err(format!("{told:?} for {parts:?}, which may {may:?}"));
        }
        for (place, &part) in parts.iter().enumerate() {
            let (is, must) = (
                told.refused_by >> place & 1 == 1,
                self.is_refused(part, number),
            );
            if is != must && !(is && self.is_held(part, number)) {
                return Err(format!(
                    "{told:?} for {parts:?}: {place} must refuse: {must}"
                ));
            }
        }
        Ok(())
    }

    /// All have spent.
    fn spend(&mut self, parts: &[Part]) {
        let now = self.clock.now();
        for &(limit, name, cost) in parts {
            let oracle = &mut self.pairs[limit].oracle;
            oracle.keep(name, 0, now);
            if oracle.look(name, cost, 0, now).0 {
                oracle.spend(name, cost, now);
                self.counts[limit][0] += 1;
            } else {
                self.counts[limit][2] += 1;
            }
        }
    }

    fn count_refused(&mut self, parts: &[Part], told: &Verdict) {
        let now = self.clock.now();
        for (place, &(limit, name, cost)) in parts.iter().enumerate() {
            self.counts[limit][1] += u64::from(told.refused_by >> place & 1);
            let fits = self.pairs[limit].oracle.look(name, cost, 0, now).0;
            self.counts[limit][2] += u64::from(self.shadows[limit] && !fits);
        }
    }

    fn settle(&mut self, parts: &[Part], told: &Verdict) {
        if told.allowed {
            self.spend(parts);
        } else {
            self.count_refused(parts, told);
        }
    }

    /// The longest that one limit alone lets it wait, whoever else waits.
    fn longest(&self, parts: &[Part]) -> Ticks {
        let now = self.clock.now();
        let enforced = parts.iter().filter(|part| !self.shadows[part.0]);
        let wait = |&(limit, name, cost): &Part| {
            let wait = self.pairs[limit].oracle.look(name, cost, 0, now).3;
            if limit == LIMITS - 1 {
                wait.min(1)
            } else {
                wait
            }
        };
        enforced.map(wait).max().unwrap_or(0)
    }

    /// Whether one who is not admitted may, or must, give up.
    fn examine_deadline(
        &self,
        parts: &[Part],
        number: u64,
        left: Option<Ticks>,
        gave_up: bool,
    ) -> Check {
        let longest = self.longest(parts);
        let is_blocked = parts
            .iter()
            .any(|&part| self.is_blocked(part, number) || self.is_held(part, number));
        let must = left.is_some_and(|left| longest > left);
        let may = left.is_some() && (must || is_blocked);
        if gave_up && !may || !gave_up && must {
            return Err(format!(
                "{parts:?} has {left:?}, waits for {longest}, gave up: {gave_up}"
            ));
        }
        Ok(())
    }
}
