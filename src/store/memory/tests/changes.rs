//! What changes in the middle of things: the time, and the quota.

use super::*;

#[test]
fn the_shared_quota_never_sees_time_go_back() {
    let (options, clock) = options(1, Overflow::Share);
    let store = MemoryStore::new(&log(1, 10), options);
    assert!(allowed(&store, "held"));
    clock.advance(11 * SECOND);
    assert!(allowed(&store, "held"));
    assert!(allowed(&store, "new"), "by the shared quota");
    // A batch reads its clock before the lock, and another shard's calls overtake it.
    let late = clock.now() - 5 * SECOND;
    for name in 0..100 {
        let verdict = store.is_allowed(Ask::new(key(&store, &name), 1), Some(late), Patience::Wait);
        assert_eq!(verdict, Ok(false), "{name}");
    }
}

#[test]
fn a_batch_ends_with_an_answer_for_each_key_whatever_happens_to_the_quota() {
    let (options, _) = options(10, Overflow::Share);
    let store = MemoryStore::new(&log(5, 10), options);
    let keys: Vec<_> = (0..4).map(|name| key(&store, &name)).collect();
    // The quota shrinks after two keys.
    let mut answers = [Some(true), Some(true), None, None];
    store.set_algorithm(log(2, 10));
    store
        .admit_many(&keys, 3, None, &mut answers, Patience::Wait)
        .unwrap();
    assert_eq!(answers, [true, true, false, false].map(Some));
    let mut none = [None; 4];
    let refused = store.admit_many(&keys, 3, None, &mut none, Patience::Wait);
    assert!(refused.is_err() && none == [None; 4]);
}

/// A batch is what its calls are one after the other, whatever is full, waited for or held.
#[test]
fn a_batch_decides_as_single_calls_do() {
    for max_keys in [10_000, 700] {
        let [one, many] = [0, 1].map(|_| {
            let store = MemoryStore::new(&log(2, 10), options(max_keys, Overflow::Share).0);
            assert!(allowed(&store, 3) && allowed(&store, 3));
            let joined = queues::join_as(&store, "3", 1, None);
            (store, joined.expect("has to wait"))
        });
        let names: Vec<u64> = (0..3_000).map(|call| call * call % 1_009 % 600).collect();
        let single: Vec<_> = names.iter().map(|name| allowed(&one.0, name)).collect();
        let keys: Vec<_> = names.iter().map(|name| key(&many.0, name)).collect();
        let held = locked_now(&many.0.shard_of(keys[0]).shard);
        let mut answers = vec![None; keys.len()];
        let tried = many
            .0
            .admit_many(&keys, 1, None, &mut answers, Patience::Try);
        assert_eq!(tried, Err(Stop::Locked));
        drop(held);
        many.0
            .admit_many(&keys, 1, None, &mut answers, Patience::Wait)
            .unwrap();
        let answers: Vec<_> = answers.into_iter().flatten().collect();
        assert_eq!(answers, single);
        let statistics = |store: &MemoryStore<_>| store.statistics(Patience::Wait).unwrap();
        assert_eq!(statistics(&many.0), statistics(&one.0));
        assert_eq!(
            statistics(&many.0).admitted,
            single.iter().filter(|&&a| a).count() as u64 + 2
        );
    }
}

/// A batch reads its clock before the lock: a call to another shard may drop the key meanwhile.
#[test]
fn a_dropped_key_does_not_come_back_at_an_earlier_time() {
    // Dropped by one who needs its room, and by the hand that goes round all shards.
    for (max_keys, calls) in [(1, 1), (10, 64 * 32)] {
        let (options, _) = options(max_keys, Overflow::Share);
        let store = MemoryStore::new(&log(1, 10), options);
        let a = key(&store, &"a");
        let mut keys = (0..).map(|name| key(&store, &name));
        let elsewhere = |key: &Fingerprint| !std::ptr::eq(store.shard_of(*key), store.shard_of(a));
        let far = keys.find(elsewhere).unwrap();
        let at = |key, seconds| {
            let now = seconds * SECOND;
            let verdict = store.is_allowed(Ask::new(key, 1), Some(now), Patience::Wait);
            verdict.unwrap()
        };
        assert!(at(a, 0));
        for _ in 0..calls {
            at(far, 10);
        }
        store.reset(far, Patience::Wait).unwrap();
        assert_eq!(store.len(), 0);
        assert!(at(a, 5), "made at 10, since the key was dropped then");
        assert!(!at(a, 16), "so it counts until 20");
    }
}
