//! Segments and permits, which memory counts in another way, against a slow, obvious model: of each
//! spend, until when it counts.

use proptest::prelude::*;

use super::*;
use crate::algorithm::properties::is_killed;
use crate::store::zone::lateness;

const LIMITS: usize = 4;
const KEYS: [&str; 3] = ["a", "b", "c"];
const SPAN: Ticks = 10 * SECOND;

/// Of each limit that takes part the key and the cost.
type Asked = [Option<(usize, u32)>; LIMITS];

#[derive(Debug, Clone)]
enum Verb {
    Check(Asked),
    Peek(Asked),
    /// Check, and then look a tick before it would be admitted, and then.
    Promise(Asked),
    /// Give units of a spend back: some of the newest ones.
    GiveBack(usize, u32),
    /// Renew the leases of which a third is over.
    Renew,
    Reset(usize, usize),
}

fn events() -> impl Strategy<Value = Vec<(Ticks, Verb)>> {
    let part = lateness(1_023, SPAN);
    let gap = prop_oneof![
        4 => Just(0),
        2 => Just(1),
        3 => 0..2 * SECOND,
        2 => (0..3_u64).prop_map(move |off| part - 1 + off),
        2 => (0..3_u64).prop_map(|off| SPAN / 4 - 1 + off),
        1 => (0..3_u64).prop_map(|off| SPAN - 1 + off),
        1 => 9 * SECOND..31 * SECOND,
    ];
    let asked = || prop::array::uniform4(prop::option::weighted(0.6, (0..3_usize, 1..4_u32)));
    let verb = prop_oneof![
        8 => asked().prop_map(Verb::Check),
        2 => asked().prop_map(Verb::Peek),
        2 => asked().prop_map(Verb::Promise),
        3 => (0..9_usize, 1..4_u32).prop_map(|(back, units)| Verb::GiveBack(back, units)),
        2 => Just(Verb::Renew),
        1 => (0..LIMITS, 0..3_usize).prop_map(|(limit, key)| Verb::Reset(limit, key)),
    ];
    prop::collection::vec((gap, verb), 1..150)
}

/// How long what is spent counts: a word keeps but the part of the time in which it was.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// As if it had been spent at the last tick of its part.
    Segments { part: Ticks },
    /// Until the end of the part in which the lease is over.
    Permits { part: Ticks },
}

impl Rule {
    fn until(self, at: Ticks) -> Ticks {
        match self {
            Self::Segments { part } => at / part * part + part - 1 + SPAN,
            Self::Permits { part } => (at + SPAN).div_ceil(part) * part,
        }
    }
}

/// One spend of one limit.
struct Spent {
    limit: usize,
    key: usize,
    /// Those that were not given back or forgotten.
    units: u32,
    until: Ticks,
    receipt: crate::decision::Receipt,
    /// Of permits that are held.
    renew_at: Option<Ticks>,
}

struct World {
    place: Place,
    gate: ZoneGate,
    held: Arc<HeldPermits>,
    rules: [(Rule, u32); LIMITS],
    spent: Vec<Spent>,
    /// A mistake of the model, to show that it would be found.
    slip: i64,
}

impl World {
    fn new(slip: i64) -> Self {
        let (place, held) = (Place::new(), HeldPermits::new());
        let segments = Rule::Segments {
            part: lateness(1_023, SPAN),
        };
        let permits = Rule::Permits { part: SPAN / 4 };
        let rules = [(segments, 5), (permits, 3), (segments, 4), (permits, 6)];
        let limits = rules.iter().enumerate().map(|(at, (rule, limit))| {
            let name = match rule {
                Rule::Segments { .. } => "segmented_window",
                Rule::Permits { .. } => "permits",
            };
            place.limit(&at.to_string(), &windowed(name, *limit))
        });
        let gate = ZoneGate::new(limits.collect(), Arc::clone(&held)).expect("valid");
        Self {
            gate,
            place,
            held,
            rules,
            spent: Vec::new(),
            slip,
        }
    }

    fn now(&self) -> Ticks {
        self.place.clock.now()
    }

    fn until(&self, limit: usize) -> Ticks {
        let until = self.rules[limit].0.until(self.now());
        until.saturating_add_signed(self.slip)
    }

    /// The spends of a key that count at a time.
    fn counting(&self, limit: usize, key: usize, at: Ticks) -> impl Iterator<Item = &Spent> {
        let of = move |spent: &&Spent| (spent.limit, spent.key) == (limit, key);
        let spent = self.spent.iter().filter(of);
        spent.filter(move |spent| spent.units > 0 && spent.until > at)
    }

    fn used(&self, limit: usize, key: usize, at: Ticks) -> u32 {
        self.counting(limit, key, at).map(|spent| spent.units).sum()
    }

    /// How long until a cost fits.
    fn wait(&self, limit: usize, key: usize, cost: u32) -> Ticks {
        let (now, most) = (self.now(), self.rules[limit].1);
        let fits = |at: Ticks| self.used(limit, key, at) + cost <= most;
        let ends = self.counting(limit, key, now).map(|spent| spent.until);
        let mut times: Vec<_> = ends.chain([now]).filter(|&at| fits(at)).collect();
        times.sort_unstable();
        times[0] - now
    }

    /// What is left of a key, and how long until nothing of it counts.
    fn left(&self, limit: usize, key: usize) -> (u32, Ticks) {
        let now = self.now();
        let last = self.counting(limit, key, now).map(|spent| spent.until);
        let left = self.rules[limit].1 - self.used(limit, key, now);
        (left, last.max().unwrap_or(now) - now)
    }

    /// Ask both; what is wrong, or how long to wait.
    fn ask(&mut self, asked: &Asked, may_spend: bool) -> Result<Ticks, String> {
        let parts = asked.iter().enumerate();
        let given: Vec<_> = parts
            .filter_map(|(at, asked)| asked.map(|(key, cost)| (at, key, cost)))
            .collect();
        let keys: Vec<_> = given
            .iter()
            .map(|&(at, key, cost)| (at, KEYS[key], cost))
            .collect();
        let mut asks = ask_all(&self.gate, &keys);
        let verdict = if may_spend {
            self.gate.check(&mut asks)
        } else {
            self.gate.peek(&mut asks)
        };
        let verdict = verdict.expect("valid");
        let waits: Vec<_> = given
            .iter()
            .map(|&(limit, key, cost)| self.wait(limit, key, cost))
            .collect();
        let longest = waits.iter().copied().max().unwrap_or(0);
        if (verdict.allowed, verdict.retry_after) != (longest == 0, longest) {
            return Err(format!("{verdict:?}, not {longest} of {waits:?}"));
        }
        for ((ask, &(limit, key, cost)), wait) in asks.iter().zip(&given).zip(waits) {
            let decision = ask.decision.expect("asked");
            let spends = may_spend && verdict.allowed;
            if spends {
                self.note(limit, key, cost, decision.receipt);
            }
            let (left, reset) = self.left(limit, key);
            let told = (
                decision.remaining,
                decision.retry_after,
                decision.reset_after,
            );
            let is_spent = decision.receipt.store != 0;
            if told != (left, wait, reset) || decision.allowed != (wait == 0) || is_spent != spends
            {
                return Err(format!(
                    "limit {limit}: {decision:?}, not {left}, {wait}, {reset}"
                ));
            }
        }
        Ok(longest)
    }

    fn note(&mut self, limit: usize, key: usize, units: u32, receipt: crate::decision::Receipt) {
        let is_held = matches!(self.rules[limit].0, Rule::Permits { .. });
        self.spent.push(Spent {
            limit,
            key,
            units,
            until: self.until(limit),
            receipt,
            renew_at: is_held.then_some(self.now() + SPAN / 3),
        });
    }

    /// Those of a permit come back as a whole, and once.
    fn give_back(&mut self, back: usize, units: u32) {
        let Some(place) = self.spent.len().checked_sub(1 + back) else {
            return;
        };
        let now = self.now();
        let spent = &mut self.spent[place];
        let is_held = matches!(self.rules[spent.limit].0, Rule::Permits { .. });
        let units = if is_held {
            u32::MAX
        } else {
            units.min(spent.units)
        };
        if units > 0 {
            let key = self.gate.fingerprint(KEYS[spent.key].as_bytes());
            let given = self.gate.give_back(spent.limit, key, &spent.receipt, units);
            given.expect("its own");
        }
        if spent.until > now && (!is_held || spent.renew_at.is_some()) {
            spent.units -= units.min(spent.units);
        }
        spent.renew_at = None;
    }

    fn renew(&mut self) {
        let now = self.now();
        let until: Vec<_> = (0..LIMITS).map(|limit| self.until(limit)).collect();
        for spent in &mut self.spent {
            if spent.renew_at.is_some_and(|at| at <= now) {
                let is_kept = spent.units > 0 && spent.until > now;
                spent.renew_at = is_kept.then_some(now + SPAN / 3);
                if is_kept {
                    spent.until = until[spent.limit];
                }
            }
        }
        self.held.renew();
    }

    fn reset(&mut self, limit: usize, key: usize) {
        let print = self.gate.fingerprint(KEYS[key].as_bytes());
        let part = &self.gate.limits()[limit].part;
        part.reset(print, Patience::Wait).expect("no lock");
        let of = |spent: &&mut Spent| (spent.limit, spent.key) == (limit, key);
        self.spent.iter_mut().filter(of).for_each(|it| it.units = 0);
    }

    fn step(&mut self, verb: &Verb) -> Result<(), String> {
        match verb {
            Verb::Check(asked) => drop(self.ask(asked, true)?),
            Verb::Peek(asked) => drop(self.ask(asked, false)?),
            Verb::Promise(asked) => {
                let wait = self.ask(asked, true)?;
                if wait > 0 {
                    self.place.clock.advance(wait - 1);
                    let early = self.ask(asked, false)?;
                    self.place.clock.advance(1);
                    let then = self.ask(asked, false)?;
                    if (early, then) != (1, 0) {
                        return Err(format!("{wait}, then {early} and {then}"));
                    }
                }
            }
            Verb::GiveBack(back, units) => self.give_back(*back, *units),
            Verb::Renew => self.renew(),
            Verb::Reset(limit, key) => self.reset(*limit, *key),
        }
        Ok(())
    }

    /// What goes wrong, if anything does.
    fn run(&mut self, events: &[(Ticks, Verb)]) -> Option<String> {
        for (at, (gap, verb)) in events.iter().enumerate() {
            self.place.clock.advance(*gap);
            if let Err(problem) = self.step(verb) {
                return Some(format!("{at}, {verb:?}: {problem}"));
            }
            let held = self.spent.iter().filter(|it| it.renew_at.is_some()).count();
            if self.held.len() != held {
                return Some(format!("{at}: {} are held, not {held}", self.held.len()));
            }
        }
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn segments_and_permits_count_as_long_as_they_should(events in events()) {
        prop_assert_eq!(World::new(0).run(&events), None);
    }
}

#[test]
fn what_counts_a_tick_too_long_or_too_short_is_found_out() {
    for slip in [-1, 1] {
        assert!(
            is_killed(events(), |events| World::new(slip).run(&events)),
            "{slip}"
        );
    }
}
