//! The wall clock steps: what is shown follows it, and no window admits more for it than it may.

use super::*;

const HOUR: Ticks = 3_600 * SECOND;

#[derive(Debug, Clone, Copy)]
enum Event {
    Call(u32),
    Pass(Ticks),
    Step(i64),
}

fn events(window: Ticks) -> impl Strategy<Value = Vec<Event>> {
    let span = window.cast_signed() * 3;
    let pass = prop_oneof![2 => 0..=window / 3, 1 => Just(window), 1 => window - 1..=window + 1];
    let event = prop_oneof![
        6 => (1..4_u32).prop_map(Event::Call),
        3 => pass.prop_map(Event::Pass),
        1 => (-span..span).prop_map(Event::Step),
    ];
    prop::collection::vec(event, 1..100)
}

/// Unix windows by their number. What was spent in one that was running moves with a step.
struct Steps {
    limit: u32,
    window: Ticks,
    unix: Ticks,
    number: Ticks,
    used: u32,
}

impl Steps {
    fn passes(&mut self, by: Ticks) {
        self.unix += by;
        if self.unix / self.window != self.number {
            (self.number, self.used) = (self.unix / self.window, 0);
        }
    }

    fn steps(&mut self, by: i64) {
        self.unix = self.unix.saturating_add_signed(by);
        self.number = self.unix / self.window;
    }

    fn admits(&mut self, cost: u32) -> bool {
        let fits = self.used + cost <= self.limit;
        self.used += if fits { cost } else { 0 };
        fits
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn windows_lie_by_the_new_time_and_keep_what_was_spent(window in 5..100_u64, events in events(50)) {
        let limit = 5;
        let clock = Arc::new(ManualClock::new(1_000 * window + 3));
        let options = Options { max_keys: 10, overflow: Overflow::Share, clock: Clock::Manual(Arc::clone(&clock)) };
        let store = MemoryStore::new(&FixedWindow::new(limit, window), options);
        let unix = clock.now();
        let mut model = Steps { limit, window, unix, number: unix / window, used: 0 };
        let (mut admitted, mut steps) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                Event::Pass(by) => {
                    clock.advance(by);
                    model.passes(by);
                }
                Event::Step(by) => {
                    clock.step_wall_clock(by);
                    model.steps(by);
                    steps.push(clock.now());
                    // Seen by the next call, whoever makes it.
                    let other = store.peek(Ask::new(key(&store, &"other"), 1), Patience::Wait);
                    prop_assert!(other.expect("valid").allowed);
                }
                Event::Call(cost) => {
                    let decision = store.check(Ask::new(key(&store, &"k"), cost), None, Patience::Wait);
                    let decision = decision.expect("valid");
                    prop_assert_eq!(decision.allowed, model.admits(cost));
                    prop_assert_eq!(decision.remaining, limit - model.used);
                    let shown = decision.at + decision.reset_after;
                    prop_assert_eq!(shown, if model.used > 0 { (model.number + 1) * window } else { model.unix });
                    admitted.extend((0..cost).filter(|_| decision.allowed).map(|_| clock.now()));
                }
            }
        }
        // Two windows' worth in any span of a window, and one more for each step in it.
        for (index, &from) in admitted.iter().enumerate() {
            let within = |at: &&Ticks| (from..from + window).contains(*at);
            let units = admitted[index..].iter().filter(within).count();
            let steps = steps.iter().filter(within).count();
            prop_assert!(units <= (2 + steps) * limit as usize);
        }
    }
}

/// Limiters of one clock, made before and after it was put right.
#[test]
fn all_limiters_of_a_process_agree() {
    let (options, clock) = options(10, Overflow::Share);
    clock.advance(10 * HOUR + 5 * SECOND);
    let algorithm = FixedWindow::new(2, HOUR);
    let before = MemoryStore::new(&algorithm, options.clone());
    let other = MemoryStore::new(&log(2, 3_600), options.clone());
    let reset_at = |store: &dyn Store, name: &str| {
        let key = store.fingerprint(name.as_bytes());
        let decision = store.check(Ask::new(key, 1), None, Patience::Wait);
        let decision = decision.expect("valid");
        decision.at + decision.reset_after
    };
    assert_eq!(reset_at(&*before, "k"), 11 * HOUR);
    clock.step_wall_clock((2 * HOUR + 10 * SECOND).cast_signed());
    let after = MemoryStore::new(&algorithm, options);
    for name in ["k", "new"] {
        assert_eq!(reset_at(&*before, name), 13 * HOUR);
        assert_eq!(reset_at(&*after, name), 13 * HOUR);
        assert_eq!(reset_at(&*other, name), 13 * HOUR + 15 * SECOND);
    }
    assert!(!allowed(&before, "k"), "what was spent stays spent");
    before.set_algorithm(FixedWindow::new(3, HOUR));
    assert_eq!(reset_at(&*before, "k"), 13 * HOUR);
}

/// Who may not wait for locks is told that there are some, and nothing has happened.
#[test]
fn windows_are_laid_anew_only_by_one_who_may_wait() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&FixedWindow::new(1, HOUR), options);
    let k = key(&store, &"k");
    clock.step_wall_clock(SECOND.cast_signed());
    assert_eq!(
        store.is_allowed(Ask::new(k, 1), None, Patience::Try),
        Err(Stop::Locked)
    );
    assert_eq!(
        store.is_allowed(Ask::new(k, 1), None, Patience::Wait),
        Ok(true)
    );
    assert_eq!(
        store.is_allowed(Ask::new(k, 1), None, Patience::Try),
        Ok(false)
    );
}

#[test]
fn who_waits_for_a_window_is_woken_when_its_end_has_moved() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&FixedWindow::new(1, HOUR), options);
    assert!(allowed(&store, "k"));
    let joined = queues::join_as(&store, "k", 1, None);
    let (waiting, poll_at) = joined.expect("has to wait");
    assert_eq!(poll_at, Some(HOUR));
    clock.step_wall_clock((HOUR - SECOND).cast_signed());
    assert!(!allowed(&store, "k"));
    assert!(waiting.bell.rung.load(SeqCst));
    let polled = queues::poll_as(&store, &waiting);
    assert!(matches!(
        polled,
        crate::store::Polled::Pending(Some(SECOND))
    ));
}
