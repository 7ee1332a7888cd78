//! What is spent without asking: a debt that later calls wait for, and no more than was counted comes
//! back.

use super::queues::join_as;
use super::*;
use crate::algorithm::Permits;
use crate::store::Store;

fn spend<A: Algorithm>(store: &MemoryStore<A>, name: &str, cost: u32) -> Decision {
    let ask = Ask::new(key(store, &name), cost);
    store.spend_anyway(ask, Patience::Wait).expect("valid")
}

fn peek<A: Algorithm>(store: &MemoryStore<A>, name: &str, cost: u32) -> Decision {
    let ask = Ask::new(key(store, &name), cost);
    store.peek(ask, Patience::Wait).expect("valid")
}

/// Of a limit of 10, with 4 spent by others: what is beyond a debt of 10 is not counted, and what was
/// counted comes back without theirs.
fn comes_back<A: Algorithm>(algorithm: &A, counted: u32) {
    let (options, _) = options(10, Overflow::Share);
    let store = MemoryStore::new(algorithm, options);
    assert!((0..4).all(|_| allowed(&store, "k")));
    let fits = spend(&store, "k", 2);
    assert_eq!(
        (fits.allowed, fits.remaining, fits.receipt.cost),
        (true, 4, 2)
    );
    let beyond = spend(&store, "k", 1_000);
    assert_eq!((beyond.allowed, beyond.remaining), (true, 0));
    assert_eq!(beyond.receipt.cost, counted);
    let before = peek(&store, "k", 1);
    assert!(!before.allowed);
    let back = |decision: &Decision, units| {
        store
            .refund_spend(key(&store, &"k"), &decision.receipt, units, Patience::Wait)
            .expect("valid");
    };
    back(&beyond, beyond.receipt.cost);
    assert_eq!(peek(&store, "k", 1).remaining, 4);
    if !A::MARKS_WHAT_IS_MISSING {
        // Of a bucket, what came back is taken off what any spend before is missing.
        back(&fits, 2);
        assert_eq!(peek(&store, "k", 1).remaining, 6);
    }
    let calls = store.statistics(Patience::Wait).unwrap().admitted;
    assert_eq!(calls, 4, "the others were spent without asking");
}

#[test]
fn a_debt_is_one_whole_quota_at_most_and_only_that_comes_back() {
    let (limit, window) = (10, 10 * SECOND);
    comes_back(&log(limit, 10), 14);
    comes_back(&FixedWindow::new(limit, window), 14);
    comes_back(&SegmentedWindow::new(limit, window), 14);
    comes_back(&SlidingCounter { limit, window }, 14);
    comes_back(&bucket(limit, 1.0), 14);
    comes_back(&Permits { limit, lease: 0 }, 1_000);
}

#[test]
fn later_calls_wait_for_the_debt() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(10, 1.0), options);
    spend(&store, "new", 15);
    let wait = peek(&store, "new", 1).retry_after;
    assert_eq!(wait, 6 * SECOND);
    clock.advance(wait - 1);
    assert!(!allowed(&store, "new"));
    clock.advance(1);
    assert!(allowed(&store, "new") && store.len() == 1);
    clock.advance(10 * SECOND);
    assert!((0..50).all(|name| store.len() <= 10 && (name >= 9 || allowed(&store, name))));
}

#[test]
fn a_key_without_room_overdraws_what_such_keys_share() {
    for (overflow, admits) in [(Overflow::Share, false), (Overflow::Admit, true)] {
        let (options, clock) = options(1, overflow);
        let store = MemoryStore::new(&log(2, 10), options);
        assert!(allowed(&store, "held"));
        let decision = spend(&store, "other", 3);
        assert_eq!(decision.receipt.cost, 0, "it is not given back to a key");
        assert_eq!(allowed(&store, "third"), admits);
        assert_eq!(store.len(), 1);
        clock.advance(10 * SECOND);
        spend(&store, "other", 3);
        assert!(!allowed(&store, "other") && store.len() == 1);
    }
}

#[test]
fn a_quota_of_its_own_is_what_a_key_overdraws() {
    let (options, _) = options(10, Overflow::Share);
    let store = MemoryStore::new(&log(2, 10), options);
    let quota = "5/10 seconds".parse().expect("valid");
    let ask = |cost, quota| Ask {
        quota,
        ..Ask::new(key(&store, &"k"), cost)
    };
    let told = |ask| store.spend_anyway(ask, Patience::Wait).expect("valid");
    let first = told(ask(3, Some(&quota)));
    assert_eq!((first.limit, first.remaining), (5, 2));
    let second = told(ask(9, None));
    assert_eq!((second.limit, second.receipt.cost), (2, 1));
    let wrong = "5/second".parse().expect("valid");
    assert!(
        store
            .spend_anyway(ask(1, Some(&wrong)), Patience::Wait)
            .is_err()
    );
}

#[test]
fn those_who_wait_are_passed_and_planned_anew() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(2, 1.0), options);
    assert!(allowed(&store, "k") && allowed(&store, "k"));
    let (waiting, poll_at) = join_as(&store, "k", 1, None).expect("has to wait");
    assert_eq!(poll_at, Some(SECOND));
    spend(&store, "k", 1);
    assert!(waiting.bell.rung.load(SeqCst), "it waits for longer");
    let behind = store.check(Ask::new(key(&store, &"k"), 1), None, Patience::Wait);
    assert_eq!(behind.expect("valid").retry_after, 3 * SECOND);
    clock.advance(2 * SECOND);
    assert!(matches!(
        super::queues::poll_as(&store, &waiting),
        crate::store::Polled::Settled(decision, _) if decision.allowed
    ));
}
