//! The same answers to the same calls as the gate in memory, where the algorithms are the same.

use proptest::prelude::*;

use super::*;

const LIMITS: usize = 4;
const KEYS: [&str; 3] = ["a", "b", "c"];

/// Of each limit that takes part the key and the cost.
type Asked = [Option<(usize, u32)>; LIMITS];

#[derive(Debug, Clone)]
enum Verb {
    Check(Asked),
    Peek(Asked),
    /// Give units of the last admitted call back, those of one limit.
    Refund(usize, u32),
    Reset(usize, usize),
}

fn events() -> impl Strategy<Value = Vec<(Ticks, Verb)>> {
    let gap = prop_oneof![3 => Just(0), 3 => 0..2 * SECOND, 1 => 9 * SECOND..31 * SECOND];
    let asked = || prop::array::uniform4(prop::option::weighted(0.6, (0..3_usize, 1..4_u32)));
    let verb = prop_oneof![
        6 => asked().prop_map(Verb::Check),
        2 => asked().prop_map(Verb::Peek),
        1 => (0..LIMITS, 1..4_u32).prop_map(|(limit, units)| Verb::Refund(limit, units)),
        1 => (0..LIMITS, 0..3_usize).prop_map(|(limit, key)| Verb::Reset(limit, key)),
    ];
    prop::collection::vec((gap, verb), 1..200)
}

/// Both gates, with the same clock.
struct Pair {
    place: Place,
    zone: ZoneGate,
    memory: MemoryGate,
    /// Of the last admitted call, of each limit: the key, and the receipts here and there.
    last: Vec<(usize, usize, Decision, Decision)>,
}

impl Pair {
    fn new(shadows: [bool; LIMITS]) -> Self {
        let place = Place::new();
        let clock = &place.clock;
        let (limit, window) = (4, 10 * SECOND);
        let algorithms = [
            windowed("fixed_window", 5),
            windowed("sliding_counter", limit),
            AnyAlgorithm::TokenBucket(bucket(5, 0.5)),
            windowed("fixed_window", 3),
        ];
        let stores: [Arc<dyn JointStore>; LIMITS] = [
            store(&fixed(5, 10), clock, 99),
            store(&SlidingCounter { limit, window }, clock, 99),
            store(&bucket(5, 0.5), clock, 99),
            store(&fixed(3, 10), clock, 99),
        ];
        let memory = stores.into_iter().zip(shadows);
        let memory = gate(
            memory
                .map(|(store, is_shadow)| Limit { store, is_shadow })
                .collect(),
        );
        let zone = algorithms.iter().zip(shadows).enumerate();
        let zone = zone.map(|(at, (algorithm, is_shadow))| ZoneLimit {
            is_shadow,
            ..place.limit(&at.to_string(), algorithm)
        });
        Self {
            zone: gate_of(zone.collect()),
            place,
            memory,
            last: Vec::new(),
        }
    }

    fn ask(&mut self, asked: &Asked, spends: bool) -> Result<(), String> {
        let given: Vec<_> = (0..LIMITS)
            .filter_map(|at| asked[at].map(|(key, cost)| (at, key, cost)))
            .collect();
        let asks = |print: &dyn Fn(&[u8]) -> crate::store::Fingerprint| -> Vec<LimitAsk<'static>> {
            let each = given.iter().map(|&(limit, key, cost)| {
                LimitAsk::new(limit, Ask::new(print(KEYS[key].as_bytes()), cost))
            });
            each.collect()
        };
        let mut here = asks(&|key| self.zone.fingerprint(key));
        let mut there = asks(&|key| self.memory.fingerprint(key));
        let (zone, memory) = if spends {
            let memory = self.memory.check(&mut there, Patience::Wait);
            (self.zone.check(&mut here), memory)
        } else {
            let memory = self.memory.peek(&mut there, Patience::Wait);
            (self.zone.peek(&mut here), memory)
        };
        let (zone, memory) = (zone.expect("valid"), memory.expect("valid"));
        if zone != memory {
            return Err(format!("{zone:?}, in memory {memory:?}"));
        }
        let mut last = Vec::new();
        for ((here, there), (limit, key, _)) in here.iter().zip(&there).zip(&given) {
            let (here, there) = (
                here.decision.expect("asked"),
                there.decision.expect("asked"),
            );
            let same = Decision {
                source: there.source,
                ..here
            };
            if same != there || (here.receipt.store == 0) != (there.receipt.store == 0) {
                return Err(format!("limit {limit}: {here:?}, in memory {there:?}"));
            }
            if here.receipt.store != 0 {
                last.push((*limit, *key, here, there));
            }
        }
        if !last.is_empty() {
            self.last = last;
        }
        Ok(())
    }

    fn refund(&mut self, limit: usize, units: u32) {
        let Some(at) = self.last.iter().position(|last| last.0 == limit) else {
            return;
        };
        let (_, key, here, there) = self.last.swap_remove(at);
        let (name, units) = (KEYS[key].as_bytes(), units.min(here.receipt.cost));
        let (zone, store) = (&self.zone, &self.memory.limits()[limit].store);
        zone.give_back(limit, zone.fingerprint(name), &here.receipt, units)
            .expect("its own");
        let key = self.memory.fingerprint(name);
        store
            .refund_spend(key, &there.receipt, units, Patience::Wait)
            .expect("its own");
    }

    fn reset(&self, limit: usize, key: usize) {
        let name = KEYS[key].as_bytes();
        let (here, there) = (self.zone.fingerprint(name), self.memory.fingerprint(name));
        let reset = self.zone.limits()[limit].part.reset(here, Patience::Wait);
        reset.expect("no lock");
        let store = &self.memory.limits()[limit].store;
        store.reset(there, Patience::Wait).expect("no lock");
    }

    fn run(&mut self, events: &[(Ticks, Verb)]) -> Result<(), String> {
        for (at, (gap, verb)) in events.iter().enumerate() {
            self.place.clock.advance(*gap);
            match verb {
                Verb::Check(asked) => self.ask(asked, true).map_err(|it| format!("{at}: {it}"))?,
                Verb::Peek(asked) => self.ask(asked, false).map_err(|it| format!("{at}: {it}"))?,
                Verb::Refund(limit, units) => self.refund(*limit, *units),
                Verb::Reset(limit, key) => self.reset(*limit, *key),
            }
        }
        let counted = self.memory.statistics(Patience::Wait).expect("no lock");
        for (limit, there) in self.zone.limits().iter().zip(counted) {
            let here = limit.part.statistics(Patience::Wait).expect("no lock");
            let three =
                |it: crate::store::Statistics| (it.admitted, it.refused, it.would_have_refused);
            if three(here) != three(there) {
                return Err(format!("{here:?}, in memory {there:?}"));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn as_in_memory(
        events in events(),
        shadows in prop::array::uniform4(prop::bool::weighted(0.2)),
    ) {
        let ran = Pair::new(shadows).run(&events);
        prop_assert!(ran.is_ok(), "{}", ran.unwrap_err());
    }
}
