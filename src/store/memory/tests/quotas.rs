//! Keys with quotas of their own, against one state a key that is never dropped.

use super::*;
use crate::quota::Quota;
use crate::store::Polled;

fn quota(text: &str) -> Quota {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn ask(key: Fingerprint, cost: u32, quota: &Quota) -> Ask<'_> {
    Ask {
        quota: Some(quota),
        ..Ask::new(key, cost)
    }
}

impl<A: Algorithm> MemoryStore<A> {
    fn quotas_in_use(&self) -> usize {
        self.shards.pattern().quotas_in_use()
    }
}

/// A call: the time since the last one, the key, the cost, and which quota (0: the store's own).
type Event = (u64, u8, u32, usize);

fn events(keys: u8) -> impl Strategy<Value = Vec<Event>> {
    let gap = prop_oneof![Just(0), 0..2 * SECOND, 9 * SECOND..11 * SECOND];
    prop::collection::vec((gap, 0..keys, 1..4_u32, 0..4_usize), 1..600)
}

/// What a key spent, kept by the quota of the last call that decided.
struct Model<A: Algorithm> {
    own: A,
    keys: HashMap<u8, (A, A::State)>,
}

impl<A: Algorithm> Model<A> {
    fn admits(&mut self, name: u8, by: &A, now: Ticks, cost: u32) -> bool {
        let unseen = (by.clone(), by.fresh());
        let (before, state) = self.keys.entry(name).or_insert(unseen);
        if A::IS_KEPT_BY_QUOTA && before.window() != by.window() {
            by.adopt(before, state, now);
        }
        *before = by.clone();
        by.admit(state, now, cost)
    }
}

fn agrees<A: Algorithm>(own: &A, others: [&str; 3], events: &[Event]) -> bool {
    let (options, clock) = options(1_000, Overflow::Share);
    let store = MemoryStore::new(own, options);
    let quotas = others.map(quota);
    let mut model = Model {
        own: own.clone(),
        keys: HashMap::new(),
    };
    let agree = events.iter().all(|&(gap, name, cost, which)| {
        clock.advance(gap);
        let now = clock.now();
        let quota = which.checked_sub(1).map(|which| &quotas[which]);
        let by = quota.map_or_else(
            || model.own.clone(),
            |quota| model.own.under(quota).expect("of this window"),
        );
        let key = key(&store, &name);
        let ask = Ask { key, cost, quota };
        if cost > by.limit() {
            return store.check(ask, None, Patience::Wait).is_err();
        }
        let told = store.peek(ask, Patience::Wait).expect("valid");
        let decision = store.check(ask, None, Patience::Wait).expect("valid");
        let allowed = model.admits(name, &by, now, cost);
        let state = &model.keys[&name].1;
        (decision.allowed, decision.limit) == (allowed, by.limit())
            && (told.allowed, told.retry_after) == (allowed, decision.retry_after)
            && decision.remaining == by.remaining(state, now)
            && (allowed || Some(decision.retry_after) == by.wait(state, now, cost))
            && decision.reset_after == by.reset_after(state, now)
    });
    let statistics = store.statistics(Patience::Wait).unwrap();
    store.clear();
    agree && statistics.defaulted == 0 && store.quotas_in_use() == 0
}

const WINDOWS: [&str; 3] = ["1/10 seconds", "7/10 seconds", "30/10 seconds"];
const RATES: [&str; 3] = [
    "1/second burst 4",
    "7/10 seconds burst 2",
    "3/second burst 40",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_a_key_spent_stays_spent_whatever_its_quota_becomes(events in events(5)) {
        let (limit, window) = (3, 10 * SECOND);
        prop_assert!(agrees(&log(3, 10), WINDOWS, &events));
        prop_assert!(agrees(&FixedWindow::new(limit, window), WINDOWS, &events));
        let counter = SlidingCounter { limit, window };
        prop_assert!(agrees(&counter, WINDOWS, &events));
        prop_assert!(agrees(&SegmentedWindow::new(limit, window), WINDOWS, &events));
        prop_assert!(agrees(&bucket(5, 0.5), RATES, &events));
    }

    /// The obvious: the units of the last window, whatever they were spent by, and this call's limit.
    #[test]
    fn a_log_counts_all_units_and_this_calls_limit(events in events(3)) {
        let (options, clock) = options(1_000, Overflow::Share);
        let store = MemoryStore::new(&log(3, 10), options);
        let quotas = WINDOWS.map(quota);
        let mut units: HashMap<u8, Vec<(Ticks, u32)>> = HashMap::new();
        for (gap, name, cost, which) in events {
            clock.advance(gap);
            let now = clock.now();
            let quota = which.checked_sub(1).map(|which| &quotas[which]);
            let limit = quota.map_or(3, |quota| quota.limit().unwrap());
            if cost > limit {
                continue;
            }
            let spent = units.entry(name).or_default();
            let live = |&&(at, _): &&(Ticks, u32)| at + 10 * SECOND > now;
            let used: u32 = spent.iter().filter(live).map(|unit| unit.1).sum();
            let key = key(&store, &name);
            let ask = Ask { key, cost, quota };
            prop_assert_eq!(store.is_allowed(ask, None, Patience::Wait), Ok(used + cost <= limit));
            if used + cost <= limit {
                spent.push((now, cost));
            }
        }
    }
}

#[test]
fn a_slot_is_no_larger_for_its_quota() {
    use crate::store::memory::shard::slot::Slot;
    assert_eq!(size_of::<Slot<u64>>(), 24);
}

#[test]
fn indices_come_back_and_beyond_the_most_the_stores_own_quota_decides() {
    let (options, clock) = options(1_000_000, Overflow::Share);
    let store = MemoryStore::new(&log(2, 10), options);
    let by = |number: u32| quota(&format!("{}/10 seconds", number + 10));
    for number in 0..65_535 {
        let ask = &by(number);
        let ask = self::ask(key(&store, &number), 3, ask);
        assert_eq!(store.is_allowed(ask, None, Patience::Wait), Ok(true));
    }
    assert_eq!(store.quotas_in_use(), 65_535);
    let (known, new) = (by(7), by(70_000));
    let check = |name: &str, cost, quota: &Quota| {
        let ask = ask(key(&store, &name), cost, quota);
        store.check(ask, None, Patience::Wait).unwrap()
    };
    assert_eq!(check("a", 5, &known).limit, 17);
    // One too many: by the store's own, of which a larger cost takes all.
    let decision = check("b", 5, &new);
    assert_eq!((decision.limit, decision.remaining), (2, 0));
    assert!(!check("b", 1, &new).allowed);
    assert_eq!(check("a", 1, &new).limit, 2, "held by another quota");
    let defaulted = || store.statistics(Patience::Wait).unwrap().defaulted;
    assert_eq!(defaulted(), 3);
    // All are idle: theirs can be used again, wherever they were.
    clock.advance(20 * SECOND);
    assert_eq!(check("b", 5, &new).limit, 70_010);
    assert_eq!(defaulted(), 3);
    for number in 100_000..165_000 {
        let quota = by(number);
        let ask = ask(key(&store, &number), 3, &quota);
        assert_eq!(store.is_allowed(ask, None, Patience::Wait), Ok(true));
    }
    assert_eq!(defaulted(), 3);
}

#[test]
fn new_keys_beyond_the_bound_share_the_stores_own_quota() {
    let (options, _) = options(2, Overflow::Share);
    let store = MemoryStore::new(&log(3, 10), options);
    let more = quota("10/10 seconds");
    let check = |name: &str, cost| {
        let ask = ask(key(&store, &name), cost, &more);
        let look = store.peek(ask, Patience::Wait).unwrap();
        let decision = store.check(ask, None, Patience::Wait).unwrap();
        assert_eq!(look.allowed, decision.allowed);
        decision
    };
    assert!(check("a", 10).allowed && check("b", 10).allowed);
    let decision = check("c", 10);
    assert_eq!((decision.allowed, decision.limit), (true, 3));
    assert!(!check("d", 1).allowed);
    assert_eq!(store.statistics(Patience::Wait).unwrap().overflowed, 2);
}

#[test]
fn a_new_quota_of_the_store_leaves_those_of_the_same_window() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&log(3, 10), options);
    let more = quota("10/10 seconds");
    let check = |cost| {
        let ask = ask(key(&store, &"a"), cost, &more);
        store.check(ask, None, Patience::Wait)
    };
    assert_eq!(check(4).unwrap().remaining, 6);
    store.set_algorithm(log(5, 10));
    assert_eq!(check(4).unwrap().remaining, 2);
    clock.advance(SECOND);
    store.set_algorithm(log(9, 20));
    assert!(
        matches!(check(1), Err(Stop::Invalid(_))),
        "of another window"
    );
    assert_eq!(store.quotas_in_use(), 0);
    // All eight are spent still, and for as long as the new window says.
    let own = || store.check(Ask::new(key(&store, &"a"), 1), None, Patience::Wait);
    assert_eq!(own().unwrap().remaining, 0);
    clock.advance(18 * SECOND);
    assert!(!own().unwrap().allowed);
    clock.advance(SECOND);
    assert!(own().unwrap().allowed);
}

#[test]
fn a_receipt_is_void_once_its_bucket_fills_at_another_rate() {
    let (options, _) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(10, 1.0), options);
    let (same, other) = (quota("1/second burst 20"), quota("2/second burst 10"));
    let a = key(&store, &"a");
    let check = |cost, quota| {
        store
            .check(
                Ask {
                    key: a,
                    cost,
                    quota,
                },
                None,
                Patience::Wait,
            )
            .unwrap()
    };
    let refund = |decision: &Decision| {
        let receipt = &decision.receipt;
        let units = receipt.cost;
        store
            .refund_spend(a, receipt, units, Patience::Wait)
            .unwrap();
        store
            .peek(Ask::new(a, 1), Patience::Wait)
            .unwrap()
            .remaining
    };
    let first = check(4, None);
    let second = check(1, Some(&same));
    assert_eq!(refund(&first), 9, "the rate is the same");
    let third = check(2, None);
    let fourth = check(1, Some(&other));
    assert_eq!(refund(&third), 6, "counted in other grains");
    assert_eq!(refund(&second), 6);
    assert_eq!(refund(&fourth), 7, "peeks change nothing");
    let units = Some(fourth.receipt.cost);
    assert_eq!(units, Some(1));
}

/// Those who wait are decided by what the last call said, in both directions.
#[test]
fn who_waits_goes_by_the_quota_of_the_last_call() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&log(1, 10), options);
    let (a, more, less) = (
        key(&store, &"a"),
        quota("3/10 seconds"),
        quota("2/10 seconds"),
    );
    assert!(allowed(&store, "a"));
    let first = queues::join_as(&store, "a", 1, None).expect("has to wait");
    let second = queues::join_as(&store, "a", 1, None).expect("has to wait");
    let poll =
        |waiting: &(queues::Waiting, Option<Ticks>)| match queues::poll_as(&store, &waiting.0) {
            Polled::Settled(decision, _) => Some(decision.allowed),
            _ => None,
        };
    assert_eq!((poll(&first), poll(&second)), (None, None));
    // A look changes nothing, and tells of those who would go first: all three fit but the last.
    let look = store.peek(ask(a, 1, &more), Patience::Wait).unwrap();
    assert_eq!((look.allowed, look.retry_after), (false, 10 * SECOND));
    assert_eq!(poll(&first), None);
    let refused = store.check(ask(a, 1, &less), None, Patience::Wait).unwrap();
    assert!(!refused.allowed, "two wait before it");
    assert_eq!((poll(&first), poll(&second)), (Some(true), None));
    clock.advance(SECOND);
    assert!(
        !store
            .check(ask(a, 1, &more), None, Patience::Wait)
            .unwrap()
            .allowed
    );
    assert_eq!(poll(&second), Some(true));
    assert!(
        !store
            .check(ask(a, 1, &more), None, Patience::Wait)
            .unwrap()
            .allowed
    );
    assert!(
        store
            .is_allowed(ask(a, 1, &quota("4/10 seconds")), None, Patience::Wait)
            .unwrap()
    );
}
