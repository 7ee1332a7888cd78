//! A full store against a model that keeps every live key: who overflows, and at what cost.

use super::*;

#[derive(Debug, Clone, Copy)]
enum Verb {
    Spend,
    Refund,
    Reset,
}

type Call = (Ticks, u32, Verb);

/// The store, and the state of every key that has ever been admitted.
struct Model<A: Algorithm> {
    store: Arc<MemoryStore<A>>,
    clock: Arc<ManualClock>,
    algorithm: A,
    states: HashMap<u32, A::State>,
    overflowed: u64,
}

impl<A: Algorithm> Model<A> {
    fn new(algorithm: &A, max_keys: usize) -> Self {
        let (options, clock) = options(max_keys, Overflow::Admit);
        Self {
            store: MemoryStore::new(algorithm, options),
            clock,
            algorithm: algorithm.clone(),
            states: HashMap::new(),
            overflowed: 0,
        }
    }

    fn forget_idle(&mut self) {
        let (algorithm, now) = (&self.algorithm, self.clock.now());
        self.states
            .retain(|_, state| algorithm.reset_after(state, now) > 0);
    }

    fn call(&mut self, (gap, name, verb): Call) {
        self.clock.advance(gap);
        let key = key(&self.store, &name);
        match verb {
            Verb::Spend => self.spend(name),
            Verb::Refund => {
                let refunded = self.store.refund(key, 1, Patience::Wait);
                refunded.expect("valid");
                if let Some(state) = self.states.get_mut(&name) {
                    self.algorithm.refund(state, self.clock.now(), 1);
                }
            }
            Verb::Reset => {
                self.store.reset(key, Patience::Wait).unwrap();
                self.states.remove(&name);
            }
        }
    }

    /// Only a newcomer among as many live keys as may be held overflows.
    fn spend(&mut self, name: u32) {
        if !self.states.contains_key(&name) && self.states.len() >= self.store.max_keys {
            self.forget_idle();
        }
        let full = self.states.len() >= self.store.max_keys;
        let expected = if full && !self.states.contains_key(&name) {
            self.overflowed += 1;
            true
        } else {
            let state = self
                .states
                .entry(name)
                .or_insert_with(|| self.algorithm.fresh());
            self.algorithm.admit(state, self.clock.now(), 1)
        };
        assert_eq!(allowed(&self.store, name), expected, "key {name}");
        assert_eq!(self.store.overflowed.load(Relaxed), self.overflowed);
    }

    /// Every live key is held, the books agree with the tables, and no key is idle unannounced.
    fn compare(&mut self, names: u32) {
        self.forget_idle();
        let mut held = 0;
        for name in 0..names {
            let key = key(&self.store, &name);
            let lock = self.store.shard_of(key);
            let shard = locked_now(&lock.shard);
            let Some(state) = shard.find(key) else {
                assert!(!self.states.contains_key(&name), "key {name} is forgotten");
                continue;
            };
            held += 1;
            let left = self.algorithm.reset_after(state, self.clock.now());
            let kept = self.states.get(&name);
            let expected =
                kept.map_or(0, |kept| self.algorithm.reset_after(kept, self.clock.now()));
            assert_eq!(left, expected, "key {name}");
            assert!(lock.idle_from.load(Relaxed) <= self.clock.now() + left);
        }
        assert_eq!(self.store.len(), held);
        assert!(held <= self.store.max_keys);
    }
}

/// Fills a store, replays `calls` on names below `names`, and compares now and then.
fn replay<A: Algorithm>(algorithm: &A, max_keys: u32, names: u32, calls: &[Call]) -> u64 {
    let mut model = Model::new(algorithm, max_keys as usize);
    for name in 0..max_keys {
        model.call((9 * SECOND / Ticks::from(max_keys), name, Verb::Spend));
    }
    for some in calls.chunks(calls.len() / 40 + 1) {
        for &call in some {
            model.call(call);
        }
        model.compare(names);
    }
    model.overflowed
}

fn call(names: u32, longest_gap: Ticks) -> impl Strategy<Value = Call> {
    let gap = prop_oneof![4 => Just(0), 8 => 0..longest_gap, 1 => Just(1)];
    let verb = prop_oneof![9 => Just(Verb::Spend), 2 => Just(Verb::Refund), 1 => Just(Verb::Reset)];
    (gap, 0..names, verb)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn few_keys_overflow_only_while_all_are_live(
        max_keys in 1_u32..150,
        calls in prop::collection::vec(call(200, SECOND / 5), 1..2_000),
    ) {
        let (limit, window) = (2, 10 * SECOND);
        replay(&log(2, 10), max_keys, 200, &calls);
        replay(&bucket(2, 0.2), max_keys, 200, &calls);
        replay(&FixedWindow::new(limit, window), max_keys, 200, &calls);
        replay(&SegmentedWindow::new(limit, window), max_keys, 200, &calls);
        replay(&SlidingCounter { limit, window }, max_keys, 200, &calls);
    }
}

/// Shards of some 125 keys, whose reserves hold 64.
const MANY: u32 = 8_000;

proptest! {
    #![proptest_config(config(2))]

    #[test]
    fn many_keys_overflow_only_while_all_are_live(
        calls in prop::collection::vec(call(MANY * 3 / 2, SECOND / 400), 30_000),
    ) {
        let overflowed = replay(&log(2, 10), MANY, MANY * 3 / 2, &calls);
        prop_assert!(0 < overflowed && overflowed < 10_000, "both sides are seen: {overflowed}");
        replay(&bucket(2, 0.2), MANY, MANY * 3 / 2, &calls);
    }
}

#[test]
fn a_new_quota_and_a_cleared_store_leave_no_old_reserve() {
    let mut model = Model::new(&log(2, 20), 1_000);
    for name in 0..1_100 {
        model.call((SECOND / 50, name, Verb::Spend)); // full after 20 s, when the first goes idle
    }
    model.algorithm = log(2, 5);
    model.store.set_algorithm(model.algorithm.clone());
    for name in 1_100..2_000 {
        model.call((0, name, Verb::Spend));
    }
    model.compare(2_000);
    model.store.clear();
    model.states.clear();
    for name in 0..2_000 {
        model.call((SECOND / 190, name, Verb::Spend));
    }
    model.compare(2_000);
    assert!(model.overflowed > 0);
}

/// Keys go idle one at a time, and one newcomer comes for each. Says how many slots each costs.
///
/// If keys are `touched` in time, none goes idle, and all newcomers overflow.
fn looks_a_newcomer(touched: bool) -> usize {
    let (keys, newcomers) = (65_536, 20_000);
    let algorithm = Watched::new(SlidingLog {
        limit: 2,
        window: keys,
    });
    let model = Model::new(&algorithm, keys as usize);
    for name in 0..keys {
        assert!(allowed(&model.store, name));
        model.clock.advance(1);
    }
    let filling = algorithm.looks.swap(0, SeqCst) / keys as usize;
    assert!(filling <= 2, "{filling} looks a key while none is idle");
    for name in 0..newcomers {
        assert!(!touched || allowed(&model.store, name));
        assert!(allowed(&model.store, keys + name));
        model.clock.advance(1);
    }
    let overflowed = model.store.overflowed.load(Relaxed);
    assert_eq!(overflowed, if touched { newcomers } else { 0 });
    algorithm.looks.load(SeqCst) / newcomers as usize
}

#[test]
fn room_that_comes_one_key_at_a_time_costs_few_looks() {
    let (untouched, touched) = (looks_a_newcomer(false), looks_a_newcomer(true));
    assert!(
        untouched < 200 && touched < 200,
        "{untouched}, touched {touched}"
    );
}
