//! Who only looks at a full limiter is told what one who spends would be.

use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::store::memory::shards::SHARDS;

#[derive(Debug, Clone, Copy)]
struct Call {
    gap: Ticks,
    name: u8,
    cost: u32,
    refund: bool,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let gap = prop_oneof![4 => Just(0), 6 => 0..SECOND, 1 => 5 * SECOND..11 * SECOND];
    let call = (gap, 0..24_u8, 1..3_u32, prop::bool::weighted(0.1));
    let call = call.prop_map(|(gap, name, cost, refund)| Call {
        gap,
        name,
        cost,
        refund,
    });
    prop::collection::vec(call, 1..150)
}

fn decided(answer: Result<Decision>) -> Decision {
    answer.expect("valid")
}

/// The keys below `names` that are live.
fn live<A: Algorithm>(store: &MemoryStore<A>, names: u8, now: Ticks) -> Vec<u8> {
    let is_live = |name: &u8| {
        let key = key(store, name);
        let shard = locked_now(&store.shard_of(key).shard);
        let state = shard.find(key);
        state.is_some_and(|state| shard.algorithm.reset_after(state, now) > 0)
    };
    (0..names).filter(is_live).collect()
}

/// A store with the same keys in the same state; nobody waits.
fn copied<A: Algorithm>(store: &MemoryStore<A>, algorithm: &A) -> Arc<MemoryStore<A>> {
    let options = Options {
        max_keys: store.max_keys,
        overflow: store.overflow,
        clock: store.clock.clone(),
    };
    let copy = MemoryStore::new(algorithm, options);
    for place in 0..SHARDS {
        let Some(lock) = store.shards.at(place) else {
            continue;
        };
        let same = copy.shards.make_at(place, Patience::Wait).expect("waits");
        let shard = locked_now(&lock.shard).copied();
        same.publish(&shard);
        *locked_now(&same.shard) = shard;
    }
    let overflow = locked_now(&store.overflow_state).clone();
    *locked_now(&copy.overflow_state) = overflow;
    let latest = store.overflow_latest.load(Relaxed);
    copy.overflow_latest.store(latest, Relaxed);
    copy.keys.store(store.len(), Relaxed);
    copy
}

/// Replays `calls`; before each, a look is compared with what a copy of the store decides.
fn looks_like_spending<A: Algorithm>(algorithm: &A, overflow: Overflow, calls: &[Call]) {
    let (options, clock) = options(12, overflow);
    let store = MemoryStore::new(algorithm, options);
    for call in calls {
        clock.advance(call.gap);
        for cost in 1..=algorithm.limit() {
            let copy = copied(&store, algorithm);
            let key = key(&store, &call.name);
            let counted = store.statistics(Patience::Wait).unwrap();
            let kept = live(&store, 24, clock.now());
            let looked = decided(store.peek(Ask::new(key, cost), Patience::Wait));
            let spent = decided(copy.check(Ask::new(key, cost), None, Patience::Wait));
            let took = if spent.allowed { cost } else { 0 };
            let expected = Decision {
                remaining: looked.remaining.saturating_sub(took),
                reset_after: if spent.allowed {
                    spent.reset_after
                } else {
                    looked.reset_after
                },
                ..looked
            };
            assert_eq!(spent, expected, "{call:?} for {cost}: {looked:?}");
            assert_eq!(live(&store, 24, clock.now()), kept);
            let after = store.statistics(Patience::Wait).unwrap();
            let nothing = |s: Statistics| (s.admitted, s.refused, s.overflowed);
            assert_eq!(nothing(after), nothing(counted));
        }
        let key = key(&store, &call.name);
        if call.refund {
            let refunded = store.refund(key, call.cost, Patience::Wait);
            refunded.expect("valid");
        } else {
            decided(store.check(Ask::new(key, call.cost), None, Patience::Wait));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]

    #[test]
    fn a_look_tells_what_a_check_would_decide(calls in calls(), share: bool) {
        let overflow = if share { Overflow::Share } else { Overflow::Admit };
        let (limit, window) = (3, 10 * SECOND);
        looks_like_spending(&log(limit, 10), overflow, &calls);
        looks_like_spending(&FixedWindow::new(limit, window), overflow, &calls);
        looks_like_spending(&SegmentedWindow::new(limit, window), overflow, &calls);
        looks_like_spending(&SlidingCounter { limit, window }, overflow, &calls);
        looks_like_spending(&bucket(limit, 0.3), overflow, &calls);
        let starts_empty = TokenBucket::new(limit, 0.3, 0, 0).expect("valid");
        looks_like_spending(&starts_empty, overflow, &calls);
    }
}

#[test]
fn a_look_finds_the_room_of_an_idle_key_and_drops_no_other() {
    let (options, clock) = options(2, Overflow::Share);
    let store = MemoryStore::new(&log(1, 10), options);
    assert!(allowed(&store, "idle soon"));
    clock.advance(SECOND);
    assert!(allowed(&store, "live") && allowed(&store, "by the shared quota"));
    let look = |name: &str| decided(store.peek(Ask::new(key(&store, &name), 1), Patience::Wait));
    let remaining = |name: &str| {
        let key = key(&store, &name);
        store.view(key, Patience::Wait, Algorithm::remaining)
    };
    assert_eq!(look("new").retry_after, 10 * SECOND);
    assert_eq!((remaining("new"), store.len()), (Ok(0), 2));
    clock.advance(9 * SECOND);
    assert!(
        !look("live").allowed,
        "a key that is held looks for no room"
    );
    assert_eq!(store.len(), 2);
    assert_eq!((remaining("new"), store.len()), (Ok(1), 1));
    assert!(look("new").allowed && look("newer").allowed);
    assert!(allowed(&store, "new") && !look("newer").allowed);
}
