//! Shards that are made when their first key comes: by whom it may be, and whatever changed before.

use super::*;
use crate::clock::Clock;
use crate::quota::Quota;

fn made<A: Algorithm>(store: &MemoryStore<A>) -> usize {
    store.shards.made().count()
}

#[test]
fn a_limit_that_nobody_meets_has_none() {
    let (options, _) = options(1_000, Overflow::Share);
    let store = MemoryStore::new(&log(1, 10), options);
    assert!(std::mem::size_of_val(&*store) < 2_048);
    store.clear();
    store.wake_heads();
    assert_eq!(store.statistics(Patience::Wait).unwrap().keys, 0);
    assert!(!store.reclaim(9, Patience::Wait).unwrap());
    assert_eq!(made(&store), 0);
    assert!(allowed(&store, "a") && !allowed(&store, "a"));
    assert_eq!(made(&store), 1);
    (0..999).for_each(|name| assert!(allowed(&store, name)));
    assert_eq!(made(&store), 64);
}

#[test]
fn one_that_is_made_later_goes_by_what_was_changed_before() {
    let (options, clock) = options(1_000, Overflow::Share);
    let store = MemoryStore::new(&bucket(5, 1.0), options);
    let first = key(&store, &"first");
    let before = store
        .check(Ask::new(first, 1), None, Patience::Wait)
        .unwrap();
    clock.advance(3 * SECOND);
    store.set_algorithm(bucket(2, 0.1));
    for name in 0..99 {
        let told = [1, 1, 1].map(|cost| {
            let ask = Ask::new(key(&store, &name), cost);
            store.check(ask, None, Patience::Wait).unwrap()
        });
        assert_eq!(
            told.map(|told| (told.allowed, told.limit)),
            [(true, 2), (true, 2), (false, 2)]
        );
        let epochs = told.map(|told| told.receipt.epoch);
        assert!(
            epochs[0] != before.receipt.epoch,
            "receipts of before are void"
        );
    }
    // A receipt of a shard that is made later is as good as any.
    let (options, _) = self::options(1_000, Overflow::Share);
    let store = MemoryStore::new(&log(2, 10), options);
    let other: Quota = "1/10 seconds".parse().unwrap();
    store.set_algorithm(log(3, 10));
    let ask = Ask::new(key(&store, &"a"), 3);
    let told = store.check(ask, None, Patience::Wait).unwrap();
    store
        .refund_spend(ask.key, &told.receipt, 3, Patience::Wait)
        .unwrap();
    let by_other = Ask {
        quota: Some(&other),
        ..Ask::new(ask.key, 1)
    };
    assert!(store.check(by_other, None, Patience::Wait).unwrap().allowed);
}

#[test]
fn windows_that_were_laid_anew_lie_so_in_all() {
    let (options, clock) = options(1_000, Overflow::Share);
    let store = MemoryStore::new(&FixedWindow::new(1, 10 * SECOND), options);
    assert!(allowed(&store, "first"));
    clock.step_wall_clock((4 * SECOND).cast_signed());
    for name in 0..99 {
        let ask = Ask::new(key(&store, &name), 1);
        let told = store.check(ask, None, Patience::Wait).unwrap();
        assert_eq!((told.allowed, told.reset_after), (true, 6 * SECOND));
    }
}

/// Who may not wait for a lock does not wait for the one under which shards are made either.
#[test]
fn nobody_waits_who_may_not() {
    let (options, _) = options(10, Overflow::Share);
    let store = MemoryStore::new(&log(1, 10), options);
    let ask = Ask::new(key(&store, &"a"), 1);
    let all = store.shards.lock_all();
    let told = store.check(ask, None, Patience::Try);
    assert_eq!(told.err(), Some(Stop::Locked));
    drop(all);
    assert!(store.check(ask, None, Patience::Try).unwrap().allowed);
}

#[test]
fn threads_that_make_one_at_once_make_one() {
    for _ in 0..50 {
        let options = Options {
            max_keys: 1_000,
            overflow: Overflow::Share,
            clock: Clock::system(),
        };
        let store = MemoryStore::new(&log(100, 1_000), options);
        let admitted = admitted_by_threads(8, 50, || allowed(&store, "a"));
        assert_eq!((admitted, made(&store)), (100, 1));
    }
}
