//! The gate in a zone: against the one in memory, against the pure words, by threads and by faults.

mod faults;
mod kills;
mod model;
mod same;
mod threads;

use std::sync::Arc;

use super::*;
use crate::algorithm::AnyAlgorithm;
use crate::clock::Ticks;
use crate::store::zone::tests::Scratch;
use crate::store::zone::{Zone, part_in_zone};

/// A zone of its own, and a clock for its limits.
struct Place {
    zone: Arc<Zone>,
    clock: Arc<ManualClock>,
    _scratch: Scratch,
}

/// A time at which windows of 10 seconds begin.
const START: Ticks = 1_000_000 * SECOND;

impl Place {
    fn new() -> Self {
        let scratch = Scratch::new();
        let zone = Zone::open(&scratch.place(1 << 20)).unwrap_or_else(|error| panic!("{error}"));
        Self {
            zone,
            clock: Arc::new(ManualClock::new(START)),
            _scratch: scratch,
        }
    }

    fn limit(&self, name: &str, algorithm: &AnyAlgorithm) -> ZoneLimit {
        let part = part_in_zone(&self.zone, name, algorithm, 1_023, Some(&self.clock));
        ZoneLimit {
            part: part.unwrap_or_else(|error| panic!("{error}")),
            is_shadow: false,
        }
    }

    /// Limits by the numbers of their places.
    fn gate(&self, algorithms: &[AnyAlgorithm]) -> ZoneGate {
        let limits = algorithms.iter().enumerate();
        let limits = limits.map(|(at, algorithm)| self.limit(&at.to_string(), algorithm));
        gate_of(limits.collect())
    }
}

fn gate_of(limits: Vec<ZoneLimit>) -> ZoneGate {
    ZoneGate::new(limits, HeldPermits::new()).unwrap_or_else(|error| panic!("{error}"))
}

fn windowed(name: &str, limit: u32) -> AnyAlgorithm {
    AnyAlgorithm::named(name, limit, 10 * SECOND).expect("known")
}

/// A question to each of these limits, of the key of that name, at this cost.
fn ask_all<'a>(gate: &ZoneGate, keys: &[(usize, &str, u32)]) -> Vec<LimitAsk<'a>> {
    let ask = |&(limit, name, cost): &(usize, &str, u32)| {
        LimitAsk::new(limit, Ask::new(gate.fingerprint(name.as_bytes()), cost))
    };
    keys.iter().map(ask).collect()
}

fn spend(gate: &ZoneGate, keys: &[(usize, &str, u32)]) -> (Verdict, Vec<Decision>) {
    let mut asks = ask_all(gate, keys);
    let verdict = gate.check(&mut asks).expect("valid");
    let decisions = asks.into_iter().map(|ask| ask.decision.expect("asked"));
    (verdict, decisions.collect())
}

fn left(gate: &ZoneGate, limit: usize, name: &str) -> u32 {
    let mut asks = ask_all(gate, &[(limit, name, 1)]);
    gate.peek(&mut asks).expect("valid");
    asks[0].decision.expect("asked").remaining
}

#[test]
fn the_same_limit_twice_is_refused() {
    let place = Place::new();
    let twice = || place.limit("one", &windowed("fixed_window", 5));
    let made = ZoneGate::new(vec![twice(), twice()], HeldPermits::new());
    let error = made.err().expect("refused").to_string();
    assert!(error.contains("limit 0 as limit 1 as well"), "{error}");
}

#[test]
fn a_cost_that_never_fits_is_an_error_and_nothing_is_spent() {
    let place = Place::new();
    let gate = place.gate(&[windowed("fixed_window", 5), windowed("sliding_counter", 2)]);
    let mut asks = ask_all(&gate, &[(0, "a", 3), (1, "a", 3)]);
    assert!(gate.check(&mut asks).is_err() && gate.peek(&mut asks).is_err());
    assert_eq!((left(&gate, 0, "a"), left(&gate, 1, "a")), (5, 2));
    let mut twice = ask_all(&gate, &[(0, "a", 1), (0, "b", 1)]);
    assert!(gate.check(&mut twice).is_err());
    let mut unknown = ask_all(&gate, &[(2, "a", 1)]);
    assert!(gate.check(&mut unknown).is_err());
}

#[test]
fn what_a_decision_spent_comes_back_by_its_receipt() {
    let place = Place::new();
    let gate = place.gate(&[
        windowed("fixed_window", 5),
        windowed("sliding_counter", 5),
        windowed("segmented_window", 5),
        AnyAlgorithm::TokenBucket(bucket(5, 0.5)),
    ]);
    let keys = [0, 1, 2, 3].map(|limit| (limit, "a", 3));
    let (verdict, decisions) = spend(&gate, &keys);
    assert!(verdict.allowed);
    for (limit, decision) in decisions.iter().enumerate() {
        let key = gate.fingerprint(b"a");
        assert!(gate.limits()[limit].part.is_mine(&decision.receipt));
        assert_eq!(left(&gate, limit, "a"), 2);
        gate.give_back(limit, key, &decision.receipt, 2)
            .expect("its own");
        assert_eq!(left(&gate, limit, "a"), 4, "limit {limit}");
    }
    place.clock.advance(20 * SECOND);
    for (limit, decision) in decisions.iter().enumerate() {
        let key = gate.fingerprint(b"a");
        spend(&gate, &[(limit, "a", 4)]);
        gate.give_back(limit, key, &decision.receipt, 1)
            .expect("its own");
        assert_eq!(
            left(&gate, limit, "a"),
            1,
            "limit {limit}: its window has passed"
        );
    }
}

#[test]
fn more_than_was_reserved_is_a_debt_that_saturates() {
    let place = Place::new();
    let gate = place.gate(&[
        windowed("fixed_window", 5),
        windowed("sliding_counter", 5),
        windowed("segmented_window", 5),
        AnyAlgorithm::TokenBucket(bucket(5, 0.5)),
    ]);
    for limit in 0..4 {
        let part = &gate.limits()[limit].part;
        let ask = Ask::new(gate.fingerprint(b"a"), 1_000_000);
        let counted = part.spend_anyway(ask).expect("valid").receipt.cost;
        assert_eq!(counted, 10, "limit {limit}: twice the quota");
        let (verdict, _) = spend(&gate, &[(limit, "a", 1)]);
        assert!(!verdict.allowed && verdict.retry_after > 0);
    }
}

#[test]
fn permits_are_held_until_they_are_given_back_or_their_lease_is_over() {
    let place = Place::new();
    let held = HeldPermits::new();
    let limits = vec![
        place.limit("permits", &windowed("permits", 2)),
        place.limit("window", &windowed("fixed_window", 50)),
    ];
    let gate = ZoneGate::new(limits, Arc::clone(&held)).expect("valid");
    let keys = [(0, "m", 1), (1, "m", 1)];
    let (first, second) = (spend(&gate, &keys), spend(&gate, &keys));
    let (third, _) = spend(&gate, &keys);
    assert!(first.0.allowed && second.0.allowed && !third.allowed);
    assert_eq!((left(&gate, 1, "m"), held.len()), (48, 2));
    let (key, receipt) = (gate.fingerprint(b"m"), first.1[0].receipt);
    for _ in 0..2 {
        gate.give_back(0, key, &receipt, u32::MAX).expect("its own");
        assert_eq!((left(&gate, 0, "m"), held.len()), (1, 1), "given back once");
    }
    // A lease of 10 seconds, of which each third begins it anew.
    for _ in 0..20 {
        let next = held.renew().expect("one is held");
        assert!(next <= 10 * SECOND / 3, "{next}");
        place.clock.advance(next);
    }
    assert_eq!(left(&gate, 0, "m"), 1);
    let receipt = second.1[0].receipt;
    gate.give_back(0, key, &receipt, u32::MAX).expect("its own");
    assert_eq!((left(&gate, 0, "m"), held.renew()), (2, None));
    // Of a holder that is not heard of.
    spend(&gate, &keys);
    place.clock.advance(10 * SECOND);
    assert_eq!(left(&gate, 0, "m"), 1, "not too early");
    place.clock.advance(5 * SECOND / 2);
    assert_eq!(left(&gate, 0, "m"), 2);
    assert_eq!(held.renew(), None, "it is lost");
}
