//! Random calls of limits of all algorithms, with keys, costs and quotas by key.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::clock::Ticks;

pub(super) const LIMITS: usize = 6;
pub(super) const KEYS: u8 = 3;
/// What is said of a wait that nobody knows.
const GUESS: Ticks = SECOND;

/// One limit as it has to be: a state a key that is never dropped, and the quota that it was kept by.
struct Model<A: Algorithm> {
    own: A,
    quotas: [A; 3],
    keys: HashMap<u8, (A, A::State)>,
}

/// What a limit says: whether it fits, the limit, what is left, the wait, and when all is back.
pub(super) type Told = (bool, u32, u32, Ticks, Ticks);

pub(super) trait Oracle {
    fn look(&self, name: u8, cost: u32, which: usize, now: Ticks) -> Told;
    /// Its key is kept by this quota from now on.
    fn keep(&mut self, name: u8, which: usize, now: Ticks);
    fn spend(&mut self, name: u8, cost: u32, now: Ticks);
    fn refund(&mut self, name: u8, now: Ticks);
    /// What was used anyway.
    fn owe(&mut self, name: u8, cost: u32, now: Ticks);
    fn reset(&mut self, name: u8);
}

impl<A: Algorithm> Model<A> {
    fn new(own: &A, quotas: &[Quota; 3]) -> Self {
        Self {
            own: own.clone(),
            quotas: quotas
                .each_ref()
                .map(|quota| own.under(quota).expect("of its window")),
            keys: HashMap::new(),
        }
    }

    fn by(&self, which: usize) -> A {
        which
            .checked_sub(1)
            .map_or(&self.own, |which| &self.quotas[which])
            .clone()
    }

    fn kept(&self, name: u8, which: usize, now: Ticks) -> (A, A::State) {
        let by = self.by(which);
        let Some((before, state)) = self.keys.get(&name) else {
            return (by.clone(), by.fresh());
        };
        let mut state = state.clone();
        if A::IS_KEPT_BY_QUOTA && (before.limit(), before.window()) != (by.limit(), by.window()) {
            by.adopt(before, &mut state, now);
        }
        (by, state)
    }
}

impl<A: Algorithm> Oracle for Model<A> {
    fn look(&self, name: u8, cost: u32, which: usize, now: Ticks) -> Told {
        let (by, state) = self.kept(name, which, now);
        let wait = by.wait(&state, now, cost).unwrap_or(GUESS);
        (
            wait == 0,
            by.limit(),
            by.remaining(&state, now),
            wait,
            match by.reset_after(&state, now) {
                Ticks::MAX => GUESS, // nobody knows when permits are given back
                reset_after => reset_after,
            },
        )
    }

    fn keep(&mut self, name: u8, which: usize, now: Ticks) {
        let kept = self.kept(name, which, now);
        self.keys.insert(name, kept);
    }

    fn spend(&mut self, name: u8, cost: u32, now: Ticks) {
        let (by, state) = self.keys.get_mut(&name).expect("kept");
        assert!(by.admit(state, now, cost), "all were asked before");
    }

    fn refund(&mut self, name: u8, now: Ticks) {
        if let Some((by, state)) = self.keys.get_mut(&name) {
            by.refund(state, now, 1);
        }
    }

    fn owe(&mut self, name: u8, cost: u32, now: Ticks) {
        self.keep(name, 0, now);
        let (by, state) = self.keys.get_mut(&name).expect("kept");
        by.spend(state, now, cost);
    }

    fn reset(&mut self, name: u8) {
        self.keys.remove(&name);
    }
}

/// A limit as it is, as it has to be, and the quotas of its keys.
pub(super) struct Pair {
    pub(super) store: Arc<dyn JointStore>,
    pub(super) oracle: Box<dyn Oracle>,
    quotas: [Quota; 3],
}

fn pair<A: Algorithm>(algorithm: &A, texts: [&str; 3], clock: &Arc<ManualClock>) -> Pair {
    let quotas = texts.map(|text| text.parse().unwrap_or_else(|error| panic!("{error}")));
    Pair {
        store: store(algorithm, clock, 1_000),
        oracle: Box::new(Model::new(algorithm, &quotas)),
        quotas,
    }
}

pub(super) fn pairs(clock: &Arc<ManualClock>) -> [Pair; LIMITS] {
    let windows = ["3/10 seconds", "7/10 seconds", "30/10 seconds"];
    let rates = [
        "1/second burst 4",
        "7/10 seconds burst 3",
        "3/second burst 40",
    ];
    let permits = ["3 concurrent", "5 concurrent", "9 concurrent"];
    let (limit, window) = (4, 10 * SECOND);
    [
        pair(&fixed(5, 10), windows, clock),
        pair(&log(4, 10), windows, clock),
        pair(&SegmentedWindow::new(6, window), windows, clock),
        pair(&SlidingCounter { limit, window }, windows, clock),
        pair(&bucket(5, 0.5), rates, clock),
        pair(&Permits { limit: 9, lease: 0 }, permits, clock),
    ]
}

/// Of one limit: the key, the cost, and which quota (0: its own).
pub(super) type Asked = Option<(u8, u32, usize)>;

#[derive(Debug, Clone)]
enum Verb {
    Check([Asked; LIMITS]),
    Peek([Asked; LIMITS]),
    /// A check; when it is refused, it is looked whether its wait is a promise.
    Promise([Asked; LIMITS]),
    /// A permit of this key comes back.
    Refund(u8),
}

fn events() -> impl Strategy<Value = Vec<(Ticks, Verb)>> {
    let gap = prop_oneof![3 => Just(0), 3 => 0..2 * SECOND, 1 => 9 * SECOND..11 * SECOND];
    let asked = || {
        let one = (0..KEYS, 1..4_u32, 0..4_usize);
        prop::array::uniform6(prop::option::weighted(0.4, one))
    };
    let verb = prop_oneof![
        4 => asked().prop_map(Verb::Check),
        1 => asked().prop_map(Verb::Peek),
        2 => asked().prop_map(Verb::Promise),
        2 => (0..KEYS).prop_map(Verb::Refund),
    ];
    prop::collection::vec((gap, verb), 1..300)
}

struct World {
    clock: Arc<ManualClock>,
    pairs: [Pair; LIMITS],
    gate: MemoryGate,
    /// How often each limit admitted, refused, and would have refused.
    counts: [[u64; 3]; LIMITS],
}

impl World {
    fn new(shadows: [bool; LIMITS]) -> Self {
        let clock = Arc::new(ManualClock::new(0));
        let pairs = pairs(&clock);
        let limits = pairs.iter().zip(shadows).map(|(pair, is_shadow)| Limit {
            store: Arc::clone(&pair.store),
            is_shadow,
        });
        Self {
            gate: gate(limits.collect()),
            clock,
            pairs,
            counts: [[0; 3]; LIMITS],
        }
    }

    fn ask(&self, asked: &[Asked; LIMITS], may_spend: bool) -> (Verdict, Vec<LimitAsk<'_>>) {
        let parts = asked.iter().enumerate();
        let ask = |(limit, asked): (usize, &Asked)| {
            let &(name, cost, which) = asked.as_ref()?;
            let quotas = &self.pairs[limit].quotas;
            let ask = Ask {
                quota: which.checked_sub(1).map(|which| &quotas[which]),
                ..Ask::new(self.gate.fingerprint(&[name]), cost)
            };
            Some(LimitAsk::new(limit, ask))
        };
        let mut asks: Vec<_> = parts.filter_map(ask).collect();
        let verdict = if may_spend {
            self.gate.check(&mut asks, Patience::Wait)
        } else {
            self.gate.peek(&mut asks, Patience::Wait)
        };
        (verdict.expect("valid"), asks)
    }

    /// Ask both; what is wrong, or the verdict.
    fn compare(&mut self, asked: &[Asked; LIMITS], may_spend: bool) -> Result<Verdict, String> {
        let now = self.clock.now();
        let (verdict, asks) = self.ask(asked, may_spend);
        let asks: Vec<_> = asks.iter().map(|ask| (ask.limit, ask.decision)).collect();
        let mut before = Vec::new();
        for &(limit, _) in &asks {
            let (name, cost, which) = asked[limit].expect("asked");
            let oracle = &mut self.pairs[limit].oracle;
            if may_spend {
                oracle.keep(name, which, now);
            }
            before.push(oracle.look(name, cost, which, now));
        }
        let is_shadow = |limit: usize| self.gate.limits()[limit].is_shadow;
        let refuses = |told: &Told, limit| !told.0 && !is_shadow(limit);
        let parts = || before.iter().zip(&asks);
        let allowed = parts().all(|(told, &(limit, _))| !refuses(told, limit));
        let longest = parts().filter(|(told, (limit, _))| refuses(told, *limit));
        let longest = longest.map(|(told, _)| told.3).max().unwrap_or(0);
        if (verdict.allowed, verdict.retry_after) != (allowed, longest) {
            return Err(format!(
                "{verdict:?}, not {allowed} and {longest}: {before:?}"
            ));
        }
        for (place, (told, &(limit, decision))) in parts().enumerate() {
            let (name, cost, which) = asked[limit].expect("asked");
            let is_refusing = verdict.refused_by >> place & 1 == 1;
            let spends = may_spend && allowed && told.0;
            let oracle = &mut self.pairs[limit].oracle;
            if spends {
                oracle.spend(name, cost, now);
            }
            let (_, limit_of, left, _, reset) = oracle.look(name, cost, which, now);
            let decision = decision.ok_or("no decision")?;
            let says = (decision.allowed, decision.limit, decision.remaining);
            let times = (decision.retry_after, decision.reset_after);
            let wait = if told.0 { 0 } else { told.3 };
            if says != (told.0, limit_of, left) || times != (wait, reset) {
                return Err(format!(
                    "limit {limit}: {decision:?}, not {told:?}, {left}, {reset}"
                ));
            }
            if is_refusing != refuses(told, limit) || (decision.receipt.store != 0) != spends {
                return Err(format!("limit {limit}: {verdict:?}, {decision:?}"));
            }
            let counts = &mut self.counts[limit];
            counts[0] += u64::from(spends);
            counts[1] += u64::from(may_spend && refuses(told, limit));
            counts[2] += u64::from(may_spend && !told.0 && is_shadow(limit));
        }
        Ok(verdict)
    }

    /// One tick before its time the call is refused, and then it is admitted.
    fn keeps_promise(&mut self, asked: &[Asked; LIMITS]) -> Result<(), String> {
        let verdict = self.compare(asked, true)?;
        let held = asked[LIMITS - 1].is_some(); // time frees no permit
        if verdict.allowed || held {
            return Ok(());
        }
        self.clock.advance(verdict.retry_after - 1);
        let early = self.compare(asked, false)?;
        self.clock.advance(1);
        let then = self.compare(asked, false)?;
        if early.allowed || !then.allowed {
            return Err(format!("{verdict:?}, then {early:?} and {then:?}"));
        }
        Ok(())
    }

    fn run(&mut self, events: &[(Ticks, Verb)]) -> Result<(), String> {
        for (gap, verb) in events {
            self.clock.advance(*gap);
            match verb {
                Verb::Check(asked) => drop(self.compare(asked, true)?),
                Verb::Peek(asked) => drop(self.compare(asked, false)?),
                Verb::Promise(asked) => self.keeps_promise(asked)?,
                Verb::Refund(name) => {
                    let permits = &mut self.pairs[LIMITS - 1];
                    let key = self.gate.fingerprint(&[*name]);
                    let refunded = permits.store.refund(key, 1, Patience::Wait);
                    refunded.map_err(|stop| format!("{stop:?}"))?;
                    permits.oracle.refund(*name, self.clock.now());
                }
            }
        }
        let told = self
            .gate
            .statistics(Patience::Wait)
            .expect("no lock is held");
        for (told, counts) in told.iter().zip(&self.counts) {
            if [told.admitted, told.refused, told.would_have_refused] != *counts {
                return Err(format!("{told:?}, not {counts:?}"));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn all_admit_and_spend_or_nothing_is_spent(
        events in events(),
        shadows in prop::array::uniform6(prop::bool::weighted(0.2)),
    ) {
        let ran = World::new(shadows).run(&events);
        prop_assert!(ran.is_ok(), "{}", ran.unwrap_err());
    }
}
