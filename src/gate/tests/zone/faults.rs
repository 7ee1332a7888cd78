//! What happens between the steps of a call: other calls, and the mutant that forgets to give back.

use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::store::zone::steps::{self, Mutant, Step};

/// Have `act` called once when this thread comes by the step.
fn once_at(step: Step, act: impl Fn() + 'static, mutant: Option<Mutant>) {
    let is_done = Cell::new(false);
    let hook = move |at: Step| {
        if at == step && !is_done.replace(true) {
            act();
        }
    };
    steps::set(Some(Box::new(hook)), mutant);
}

fn three() -> (Place, Rc<ZoneGate>) {
    let place = Place::new();
    let gate = place.gate(&[
        windowed("fixed_window", 5),
        AnyAlgorithm::TokenBucket(bucket(5, 0.5)),
        windowed("segmented_window", 5),
    ]);
    (place, Rc::new(gate))
}

const ALL: [(usize, &str, u32); 3] = [(0, "a", 2), (1, "a", 2), (2, "a", 2)];

/// A call that finds the last limit empty when it comes to it: what is left of each then.
fn lost(mutant: Option<Mutant>) -> (Verdict, Vec<Decision>, [u32; 3], u64) {
    let (_place, gate) = three();
    let other = Rc::clone(&gate);
    let take_all = move || drop(spend(&other, &[(2, "a", 5)]));
    once_at(Step::GateLooked, take_all, mutant);
    let (verdict, decisions) = spend(&gate, &ALL);
    steps::set(None, None);
    let left = [0, 1, 2].map(|limit| left(&gate, limit, "a"));
    (verdict, decisions, left, gate.lost_races())
}

#[test]
fn a_lost_race_is_a_refusal_and_all_is_given_back() {
    let (verdict, decisions, left, races) = lost(None);
    assert!(!verdict.allowed && verdict.retry_after > 0);
    assert_eq!((verdict.refused_by, verdict.decides), (0b100, Some(2)));
    let told = decisions.iter().map(|it| (it.allowed, it.remaining));
    assert_eq!(told.collect::<Vec<_>>(), [(true, 5), (true, 5), (false, 0)]);
    assert!(
        decisions.iter().all(|it| it.receipt.store == 0),
        "nothing is spent"
    );
    assert_eq!((left, races), ([5, 5, 0], 1));
}

#[test]
fn the_mutant_that_forgets_to_give_back_is_seen() {
    let (verdict, _, left, _) = lost(Some(Mutant::NoGiveBack));
    assert_eq!((verdict.allowed, left), (false, [3, 3, 0]));
}

#[test]
fn what_others_spent_meanwhile_stays_spent() {
    for step in [
        Step::GateLooked,
        Step::GateSpent,
        Step::GateGiveBack,
        Step::GateGaveBack,
    ] {
        let (_place, gate) = three();
        let other = Rc::clone(&gate);
        let spends = move || {
            spend(&other, &[(2, "a", 4)]);
            spend(&other, &[(0, "a", 1), (1, "a", 1)]);
        };
        once_at(step, spends, None);
        let (verdict, _) = spend(&gate, &ALL);
        steps::set(None, None);
        let left = [0, 1, 2].map(|limit| left(&gate, limit, "a"));
        let expected = match step {
            Step::GateLooked | Step::GateSpent => (false, [4, 4, 1]),
            _ => (true, [3, 3, 3]), // nothing came in between
        };
        assert_eq!((verdict.allowed, left), expected, "{step:?}");
    }
}

#[test]
fn a_bucket_gets_back_no_token_that_would_be_there_anyway() {
    // 5 are spent at 0 s and 1 at 4 s: had the 5 not been, the bucket would be at 9 now.
    let place = Place::new();
    let gate = place.gate(&[AnyAlgorithm::TokenBucket(bucket(10, 1.0))]);
    let (_, first) = spend(&gate, &[(0, "a", 5)]);
    place.clock.advance(4 * SECOND);
    spend(&gate, &[(0, "a", 1)]);
    let key = gate.fingerprint(b"a");
    gate.give_back(0, key, &first[0].receipt, 5)
        .expect("its own");
    assert_eq!(left(&gate, 0, "a"), 9);
}

#[test]
fn a_key_that_was_forgotten_meanwhile_is_inserted_anew() {
    let (_place, gate) = three();
    spend(&gate, &ALL);
    let other = Rc::clone(&gate);
    let forget = move || {
        let key = other.fingerprint(b"a");
        for limit in other.limits() {
            limit.part.reset(key, Patience::Wait).expect("no lock");
        }
    };
    once_at(Step::GateLooked, forget, None);
    let (verdict, _) = spend(&gate, &ALL);
    steps::set(None, None);
    assert!(verdict.allowed);
    assert_eq!([0, 1, 2].map(|limit| left(&gate, limit, "a")), [3, 3, 3]);
}

#[test]
fn a_call_may_be_refused_beside_one_that_has_not_given_back_yet_and_not_after() {
    let (_place, gate) = three();
    spend(&gate, &[(0, "a", 3)]);
    let refused = Rc::new(Cell::new(None));
    let (other, noted) = (Rc::clone(&gate), Rc::clone(&refused));
    let empty = Rc::clone(&gate);
    let is_first = Cell::new(true);
    let hook = move |at: Step| match at {
        Step::GateLooked if is_first.replace(false) => drop(spend(&empty, &[(2, "a", 5)])),
        Step::GateGiveBack if noted.get().is_none() => {
            noted.set(Some(false)); // the hook is called by this call as well
            let (verdict, _) = spend(&other, &[(0, "a", 1)]);
            noted.set(Some(verdict.allowed));
        }
        _ => {}
    };
    steps::set(Some(Box::new(hook)), None);
    let (verdict, _) = spend(&gate, &ALL);
    steps::set(None, None);
    assert!(!verdict.allowed);
    assert_eq!(refused.get(), Some(false), "the 2 were taken");
    assert_eq!(left(&gate, 0, "a"), 2);
    assert!(spend(&gate, &[(0, "a", 2)]).0.allowed);
}
