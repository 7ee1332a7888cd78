//! Limits that hold as many keys as they may.

use super::*;
use crate::store::Store;

#[test]
fn idle_keys_make_room_and_without_any_the_policy_decides() {
    let clock = Arc::new(ManualClock::new(0));
    let (small, large) = (
        store(&log(2, 10), &clock, 2),
        store(&log(99, 60), &clock, 100),
    );
    let gate = gate(vec![limit(&large), limit(&small)]);
    let call = |name: &str, cost| check(&gate, &[(0, name, 1), (1, name, cost)]);
    assert!(call("a", 2).allowed && call("b", 2).allowed);
    // Both are live: the others share one quota.
    let shares = |name: &str| gate.peek(&mut asks(&gate, &[(1, name, 2)]), Patience::Wait);
    assert!(shares("c").expect("valid").allowed);
    assert!(call("c", 1).allowed);
    assert!(!shares("d").expect("valid").allowed);
    assert_eq!(call("d", 2).refused_by, 0b10);
    assert!(call("d", 1).allowed && !call("e", 1).allowed);
    assert_eq!((small.len(), large.len()), (2, 4), "e is not held");
    let statistics = small.statistics(Patience::Wait).expect("free");
    assert_eq!((statistics.overflowed, statistics.admitted), (4, 4));
    clock.advance(10 * SECOND);
    assert!(call("e", 2).allowed && call("f", 2).allowed);
    assert_eq!(small.len(), 2);
}

#[test]
fn a_refused_newcomer_takes_no_room() {
    let clock = Arc::new(ManualClock::new(0));
    let (first, second) = (store(&log(2, 10), &clock, 1), store(&log(1, 10), &clock, 9));
    let gate = gate(vec![limit(&first), limit(&second)]);
    assert!(check(&gate, &[(1, "spent", 1)]).allowed);
    for name in ["a", "b", "c"] {
        assert!(!check(&gate, &[(0, name, 1), (1, "spent", 1)]).allowed);
        assert_eq!(first.len(), 0);
    }
    assert!(check(&gate, &[(0, "d", 1), (1, "new", 1)]).allowed);
    assert_eq!((first.len(), second.len()), (1, 2));
    assert_eq!(
        first.statistics(Patience::Wait).expect("free").overflowed,
        0
    );
}

#[test]
fn admitted_newcomers_are_counted_by_the_policy_that_admits_them() {
    let clock = Arc::new(ManualClock::new(0));
    let options = Options {
        max_keys: 1,
        overflow: Overflow::Admit,
        clock: Clock::Manual(Arc::clone(&clock)),
    };
    let (small, large) = (
        MemoryStore::new(&log(1, 10), options),
        store(&log(3, 10), &clock, 9),
    );
    let gate = gate(vec![limit(&small), limit(&large)]);
    let call = |name: &str| check(&gate, &[(0, name, 1), (1, "all", 1)]).allowed;
    assert!(call("a") && !call("a") && call("b") && call("b") && !call("b"));
    assert_eq!((small.len(), remaining(&*large, "all")), (1, 0));
}

#[test]
fn a_spend_and_its_room_come_back_by_receipt() {
    let clock = Arc::new(ManualClock::new(0));
    let (one, other) = (
        store(&bucket(5, 1.0), &clock, 9),
        store(&log(5, 10), &clock, 9),
    );
    let gate = gate(vec![limit(&one), limit(&other)]);
    let mut asks = asks(&gate, &[(0, "k", 3), (1, "l", 2)]);
    assert!(
        gate.check(&mut asks, Patience::Wait)
            .expect("valid")
            .allowed
    );
    for ask in &asks {
        let receipt = ask.decision.expect("asked").receipt;
        let store = &gate.limits()[ask.limit].store;
        assert!(store.is_mine(&receipt) && receipt.cost == ask.ask.cost);
        let back = store.refund_spend(ask.ask.key, &receipt, receipt.cost, Patience::Wait);
        back.expect("valid");
    }
    assert_eq!((one.len(), other.len()), (0, 0));
}
