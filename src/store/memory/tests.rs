//! The store against one model a key: eviction, the bound, and threads.

#![allow(clippy::needless_pass_by_value, reason = "names are literals")]

mod anyway;
mod changes;
mod crowd;
mod full;
mod held;
mod looks;
mod queues;
mod quotas;
mod shards;
mod steps;
mod watched;

use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use proptest::prelude::*;

use super::*;
use crate::algorithm::{FixedWindow, SegmentedWindow, SlidingCounter, SlidingLog, TokenBucket};
use crate::clock::{ManualClock, SECOND};
use watched::Watched;

fn options(max_keys: usize, overflow: Overflow) -> (Options, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(0));
    let options = Options {
        max_keys,
        overflow,
        clock: Clock::Manual(Arc::clone(&clock)),
    };
    (options, clock)
}

fn log(limit: u32, seconds: u64) -> SlidingLog {
    SlidingLog {
        limit,
        window: seconds * SECOND,
    }
}

fn bucket(capacity: u32, rate: f64) -> TokenBucket {
    TokenBucket::new(capacity, rate, capacity, 0).expect("valid")
}

fn key<A: Algorithm>(store: &MemoryStore<A>, name: &impl ToString) -> Fingerprint {
    store.fingerprint(name.to_string().as_bytes())
}

fn allowed<A: Algorithm>(store: &MemoryStore<A>, name: impl ToString) -> bool {
    let verdict = store.is_allowed(Ask::new(key(store, &name), 1), None, Patience::Wait);
    verdict.expect("valid")
}

/// Replays calls `(gap, key)` through a store and through a state a key that is never dropped.
fn parts_from_single_states<A: Algorithm>(algorithm: &A, calls: &[(u64, u8)]) -> bool {
    let (options, clock) = options(1_000, Overflow::Share);
    let store = MemoryStore::new(algorithm, options);
    let mut states: HashMap<u8, A::State> = HashMap::new();
    calls.iter().any(|&(gap, name)| {
        clock.advance(gap);
        let state = states.entry(name).or_insert_with(|| algorithm.fresh());
        allowed(&store, name) != algorithm.admit(state, clock.now(), 1)
    })
}

fn calls() -> impl Strategy<Value = Vec<(u64, u8)>> {
    let gap = prop_oneof![Just(0), 0..2 * SECOND, 9 * SECOND..11 * SECOND];
    prop::collection::vec((gap, any::<u8>()), 1..1_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn eviction_changes_no_decision(calls in calls()) {
        prop_assert!(!parts_from_single_states(&log(2, 10), &calls));
        prop_assert!(!parts_from_single_states(&bucket(2, 0.2), &calls));
        let (limit, window) = (2, 10 * SECOND);
        let (fixed, counter) = (FixedWindow::new(limit, window), SlidingCounter { limit, window });
        prop_assert!(!parts_from_single_states(&fixed, &calls));
        prop_assert!(!parts_from_single_states(&counter, &calls));
        prop_assert!(!parts_from_single_states(&SegmentedWindow::new(limit, window), &calls));
    }
}

#[test]
fn forgetting_a_key_too_early_is_noticed() {
    let mut algorithm = Watched::new(log(1, 10));
    let calls: Vec<_> = (0..20_000_u64)
        .map(|call| (SECOND / 25, (call * 7 % 240) as u8))
        .collect();
    assert!(!parts_from_single_states(&algorithm, &calls));
    algorithm.early = SECOND;
    assert!(parts_from_single_states(&algorithm, &calls));
}

#[test]
fn the_bound_is_hard_and_idle_keys_make_room_wherever_they_are() {
    let (options, clock) = options(100, Overflow::Share);
    let store = MemoryStore::new(&log(1, 10), options);
    for round in 0..5 {
        for name in 0..100 {
            assert!(allowed(&store, format!("{round}/{name}")), "{round} {name}");
        }
        assert_eq!(store.len(), 100);
        // All are live: the first newcomer has the shared quota, the second has none left.
        assert!(allowed(&store, format!("new {round}")));
        assert!(!allowed(&store, format!("newer {round}")));
        assert_eq!(store.len(), 100);
        clock.advance(10 * SECOND);
    }
    let statistics = store.statistics(Patience::Wait).unwrap();
    assert_eq!((statistics.overflowed, statistics.evicted), (10, 400));
    assert_eq!((statistics.admitted, statistics.refused), (505, 5));
}

#[test]
fn the_one_idle_key_among_live_ones_is_found() {
    let (options, clock) = options(1_000, Overflow::Share);
    let store = MemoryStore::new(&log(1, 10), options);
    assert!(allowed(&store, "first"));
    clock.advance(SECOND);
    assert!((1..1_000).all(|name| allowed(&store, name)));
    clock.advance(9 * SECOND);
    assert!(allowed(&store, "next"));
    let statistics = store.statistics(Patience::Wait).unwrap();
    assert_eq!(
        (statistics.overflowed, statistics.evicted, statistics.keys),
        (0, 1, 1_000)
    );
}

#[test]
fn the_admit_policy_lets_newcomers_pass_and_counts_them() {
    let (options, _) = options(1, Overflow::Admit);
    let store = MemoryStore::new(&log(1, 10), options);
    assert!((0..10).all(|name| allowed(&store, name)));
    assert!(!allowed(&store, 0));
    assert_eq!(store.statistics(Patience::Wait).unwrap().overflowed, 9);
}

#[test]
fn idle_keys_go_while_only_one_key_is_used() {
    let (options, clock) = options(100_000, Overflow::Share);
    let store = MemoryStore::new(&bucket(10, 1.0), options);
    assert!((0..50_000).all(|name| allowed(&store, name)));
    clock.advance(10 * SECOND);
    for _ in 0..100_000 {
        allowed(&store, "the only one");
    }
    assert_eq!(store.len(), 1);
}

/// A batch reads the clock before its locks: others may have decided at a later time meanwhile.
#[test]
fn a_call_with_an_older_time_is_decided_at_the_newest() {
    let (options, _) = options(10, Overflow::Share);
    let store = MemoryStore::new(
        &SlidingLog {
            limit: 2,
            window: 2,
        },
        options,
    );
    let at = |time, cost| {
        let verdict = store.is_allowed(
            Ask::new(key(&store, &"k"), cost),
            Some(time),
            Patience::Wait,
        );
        verdict.expect("valid")
    };
    assert!(at(2, 1) && at(3, 1));
    assert!(!at(4, 2), "forgets the unit at 2");
    assert!(at(3, 1), "made at 4, since 4 has been seen");
    assert!(!at(5, 2), "the unit made at 4 counts until 6");
}

#[test]
fn a_refused_newcomer_is_not_remembered() {
    let (options, _) = options(10, Overflow::Share);
    let store = MemoryStore::new(&TokenBucket::new(1, 1.0, 0, 0).expect("valid"), options);
    assert!(!allowed(&store, "early"));
    assert_eq!(store.len(), 0);
}

#[test]
fn a_new_quota_keeps_what_was_spent() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&log(3, 10), options);
    assert!(allowed(&store, "a") && allowed(&store, "a"));
    store.set_algorithm(log(2, 10));
    assert!(!allowed(&store, "a"));
    // Over 71 minutes a unit takes 8 bytes; the units so far are carried over, and back.
    store.set_algorithm(log(3, 6_000));
    clock.advance(5_999 * SECOND);
    assert!(allowed(&store, "a") && !allowed(&store, "a"));
    clock.advance(SECOND);
    assert!(allowed(&store, "a") && allowed(&store, "a") && !allowed(&store, "a"));
    store.set_algorithm(log(4, 10));
    assert!(allowed(&store, "a") && !allowed(&store, "a"));
}

#[test]
fn a_new_bucket_keeps_the_tokens_that_are_missing() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(10, 1.0), options);
    assert!((0..6).all(|_| allowed(&store, "a")));
    store.set_algorithm(bucket(20, 7.0));
    let remaining = || {
        store
            .peek(Ask::new(key(&store, &"a"), 1), Patience::Wait)
            .unwrap()
            .remaining
    };
    assert_eq!(remaining(), 14);
    clock.advance(SECOND / 2);
    assert_eq!(remaining(), 17);
    store.set_algorithm(bucket(2, 7.0));
    assert_eq!(remaining(), 0);
}

/// Admitted by `threads` threads that hammer one key at one instant.
fn admitted_by_threads(threads: usize, calls: usize, call: impl Fn() -> bool + Sync) -> usize {
    let (admitted, barrier) = (AtomicUsize::new(0), Barrier::new(threads));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                barrier.wait();
                let mine = (0..calls).filter(|_| call()).count();
                admitted.fetch_add(mine, SeqCst);
            });
        }
    });
    admitted.into_inner()
}

fn exact_under_threads<A: Algorithm>(algorithm: &A) {
    for _ in 0..20 {
        let (options, _) = options(100, Overflow::Share);
        let store = MemoryStore::new(algorithm, options);
        let admitted = admitted_by_threads(8, 500, || allowed(&store, "hot"));
        assert_eq!(admitted, algorithm.limit() as usize);
    }
}

#[test]
fn eight_threads_on_one_key_admit_exactly_the_limit() {
    let window = 60 * SECOND;
    exact_under_threads(&log(100, 60));
    exact_under_threads(&FixedWindow::new(100, window));
    exact_under_threads(&SegmentedWindow::new(100, window));
    exact_under_threads(&SlidingCounter { limit: 100, window });
    exact_under_threads(&bucket(100, 1.0));
}

impl<A: Algorithm> MemoryStore<A> {
    fn shard_of(&self, key: Fingerprint) -> &ShardLock<A> {
        self.lock_of(key, Patience::Wait)
            .expect("waits for the lock")
    }
}

/// The mutant: looks, lets others run, then acts.
#[test]
fn checking_before_acting_is_noticed() {
    let caught = (0..200).any(|_| {
        let (options, _) = options(100, Overflow::Share);
        let store = MemoryStore::new(&log(100, 60), options);
        let hot = key(&store, &"hot");
        let admitted = admitted_by_threads(8, 50, || {
            let free = store
                .peek(Ask::new(hot, 1), Patience::Wait)
                .unwrap()
                .allowed;
            std::thread::yield_now();
            if free {
                let lock = store.shard_of(hot);
                let mut shard = locked_now(&lock.shard);
                let mut state = shard
                    .find(hot)
                    .cloned()
                    .unwrap_or_else(|| shard.algorithm.fresh());
                let roomy = log(10_000, 60);
                roomy.admit(&mut state, 0, 1);
                shard.forget(hot);
                shard.insert(hot, state, 0, 0);
            }
            free
        });
        admitted > 100
    });
    assert!(caught);
}

#[test]
fn threads_that_insert_evict_and_overflow_keep_the_books() {
    let (options, clock) = options(500, Overflow::Share);
    let store = MemoryStore::new(&log(3, 10), options);
    let next = AtomicUsize::new(0);
    let admitted = admitted_by_threads(8, 5_000, || {
        let call = next.fetch_add(1, SeqCst);
        if call.is_multiple_of(1_000) {
            clock.advance(SECOND);
        }
        assert!(store.len() <= 500);
        allowed(&store, call % 700)
    });
    let statistics = store.statistics(Patience::Wait).unwrap();
    assert_eq!(statistics.admitted as usize, admitted);
    assert_eq!(statistics.admitted + statistics.refused, 40_000);
    // What the bound counts is what the tables hold.
    store.clear();
    assert_eq!(store.len(), 0);
}
