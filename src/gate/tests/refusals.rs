//! What a gate refuses to be, and to be asked; who decides; locks that are held, and those who wait.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::*;
use crate::store::{Halt, Joined, Part, Purpose, Queues, Store, Wake};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(0))
}

fn invalid(gate: &MemoryGate, keys: &[(usize, &str, u32)]) -> String {
    match gate.check(&mut asks(gate, keys), Patience::Wait) {
        Err(Stop::Invalid(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_gate_has_no_store_twice() {
    let one = store(&log(1, 10), &clock(), 10);
    let other = store(&log(1, 10), &clock(), 10);
    let error = MemoryGate::new(vec![limit(&one), limit(&other), shadow(&one)]).err();
    let text = error.expect("twice").to_string();
    assert!(text.contains("the store of limit 0 for limit 2"), "{text}");
    assert!(check(&gate(vec![limit(&other), limit(&one)]), &[]).allowed);
}

#[test]
fn a_call_that_cannot_be_asked_spends_nothing() {
    let clock = clock();
    let (small, large) = (
        store(&log(2, 10), &clock, 10),
        store(&log(9, 10), &clock, 10),
    );
    let gate = gate(vec![limit(&large), limit(&small)]);
    let too_much = invalid(&gate, &[(0, "k", 3), (1, "k", 3)]);
    assert!(too_much.contains("the limit, 2, got 3"), "{too_much}");
    let twice = invalid(&gate, &[(0, "k", 1), (1, "k", 1), (0, "l", 1)]);
    assert!(
        twice.contains("limit must be asked once in a call, got 0"),
        "{twice}"
    );
    let unknown = invalid(&gate, &[(2, "k", 1)]);
    assert!(
        unknown.contains("limit must be one of the gate's 2, got 2"),
        "{unknown}"
    );
    let many = invalid(&gate, &[(0, "k", 1); 33]);
    assert!(many.contains("at most 32"), "{many}");
    let quota: Quota = "5/second".parse().expect("valid");
    let mut asks = asks(&gate, &[(0, "k", 1), (1, "k", 1)]);
    asks[1].ask.quota = Some(&quota);
    let refusal = gate.check(&mut asks, Patience::Wait);
    assert!(matches!(refusal, Err(Stop::Invalid(_))), "{refusal:?}");
    assert_eq!((large.len(), small.len()), (0, 0));
}

#[test]
fn as_many_limits_as_may_be_are_one_decision() {
    let clock = clock();
    let stores: Vec<_> = (0..32)
        .map(|one| store(&log(1 + one, 10), &clock, 10))
        .collect();
    let gate = gate(stores.iter().rev().map(limit).collect());
    let keys: Vec<_> = (0..32).map(|limit| (limit, "k", 1)).collect();
    assert!(check(&gate, &keys).allowed);
    let verdict = check(&gate, &keys);
    assert_eq!((verdict.refused_by, verdict.decides), (1 << 31, Some(31)));
    let left: Vec<_> = stores
        .iter()
        .map(|store| remaining(&**store, "k"))
        .collect();
    assert_eq!(left, (0..32).collect::<Vec<_>>());
}

#[test]
fn the_longest_wait_decides_or_the_smallest_share() {
    let clock = clock();
    let (short, long) = (
        store(&log(2, 10), &clock, 10),
        store(&log(4, 60), &clock, 10),
    );
    let watching = store(&log(1, 90), &clock, 10);
    let gate = gate(vec![limit(&long), limit(&short), shadow(&watching)]);
    let call = |long, short| check(&gate, &[(0, "k", long), (1, "k", short), (2, "k", 1)]);
    assert_eq!(call(1, 1).decides, Some(1), "1 of 2 are left, and 3 of 4");
    let refused = call(4, 2);
    assert_eq!((refused.refused_by, refused.decides), (0b11, Some(0)));
    assert_eq!(refused.retry_after, 60 * SECOND);
    let refused = call(1, 2);
    assert_eq!(
        (refused.refused_by, refused.retry_after),
        (0b10, 10 * SECOND)
    );
    assert_eq!(call(2, 1).decides, Some(1), "nothing is left of it");
    let only_watched = check(&gate, &[(2, "k", 7)]);
    assert_eq!((only_watched.allowed, only_watched.decides), (true, None));
    let counted = &gate.statistics(Patience::Wait).expect("free")[2];
    assert_eq!((counted.admitted, counted.would_have_refused), (1, 4));
}

#[test]
fn a_lock_that_is_held_stops_who_does_not_wait() {
    let clock = clock();
    let stores = [1, 2, 3].map(|_| store(&log(5, 10), &clock, 10));
    let gate = gate(stores.iter().map(limit).collect());
    let keys = [(0, "k", 1), (1, "k", 1), (2, "k", 1)];
    for held in &stores {
        let part = Part {
            ask: Ask::new(gate.fingerprint(b"k"), 1),
            is_shadow: false,
            now: None,
            purpose: Purpose::Spend,
            may_have_room: true,
            patience: Patience::Wait,
            queuing: None,
        };
        let mut seen = None;
        let taken = held.take_part(&part, &mut |fits| {
            seen = Some((fits, gate.check(&mut asks(&gate, &keys), Patience::Try)));
            Ok(false)
        });
        assert!(taken.is_ok_and(|decision| decision.allowed));
        assert!(matches!(seen, Some((true, Err(Stop::Locked)))), "{seen:?}");
        let stopped = held.take_part(&part, &mut |_| Err(Halt::Stop(Stop::Locked)));
        assert!(matches!(stopped, Err(Halt::Stop(Stop::Locked))));
        assert_eq!(held.len(), 0, "the room for the key was given back");
    }
    assert!(
        gate.check(&mut asks(&gate, &keys), Patience::Try)
            .is_ok_and(|told| told.allowed)
    );
}

#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(&self) -> bool {
        self.0.store(true, SeqCst);
        true
    }
}

#[test]
fn whoever_waits_at_one_limit_goes_first() {
    let clock = clock();
    let (queued, other) = (
        store(&log(2, 10), &clock, 10),
        store(&log(9, 10), &clock, 10),
    );
    let gate = gate(vec![limit(&other), limit(&queued)]);
    let keys = [(0, "k", 1), (1, "k", 1)];
    assert!(check(&gate, &[(1, "k", 1)]).allowed);
    clock.advance(SECOND);
    let (bell, key) = (Arc::new(Bell::default()), gate.fingerprint(b"k"));
    let wake: Arc<dyn Wake> = bell.clone();
    let joined = queued.join(Ask::new(key, 2), None, &wake, Patience::Wait);
    let Ok(Joined::Queued { ticket, .. }) = joined else {
        panic!("{joined:?}");
    };
    let peeked = gate
        .peek(&mut asks(&gate, &keys), Patience::Wait)
        .expect("valid");
    let refused = check(&gate, &keys);
    // At 10 s the waiter takes both units, so that the next is free at 20 s.
    assert_eq!((refused.allowed, refused.refused_by), (false, 0b10));
    assert_eq!(
        (refused.retry_after, peeked.retry_after),
        (19 * SECOND, 19 * SECOND)
    );
    assert_eq!((remaining(&*other, "k"), bell.0.load(SeqCst)), (9, false));
    assert!(check(&gate, &[(0, "k", 1), (1, "another", 1)]).allowed);
    clock.advance(9 * SECOND);
    bell.0.store(false, SeqCst);
    assert!(!check(&gate, &keys).allowed);
    assert!(bell.0.load(SeqCst), "it could be admitted and has not come");
    queued.leave(&ticket, Patience::Wait).expect("free");
    assert!(check(&gate, &keys).allowed);
}

#[test]
fn aligned_windows_follow_the_wall_clock() {
    let clock = clock();
    let (aligned, other) = (
        store(&fixed(1, 10), &clock, 10),
        store(&log(9, 99), &clock, 10),
    );
    let gate = gate(vec![limit(&other), limit(&aligned)]);
    let keys = [(0, "k", 1), (1, "k", 1)];
    assert!(check(&gate, &keys).allowed);
    clock.step_wall_clock((4 * SECOND).cast_signed());
    let tried = gate.check(&mut asks(&gate, &keys), Patience::Try);
    assert_eq!(tried, Err(Stop::Locked), "there are many locks to wait for");
    assert_eq!(check(&gate, &keys).retry_after, 6 * SECOND);
    assert_eq!(remaining(&*other, "k"), 8);
}

/// Where all are on the machine's clock, it is read once for all; else each limit has its own time.
#[test]
fn each_limit_decides_by_its_own_clock() {
    let manual = clock();
    let on = |clock: &Clock| {
        let options = Options {
            max_keys: 9,
            overflow: Overflow::Share,
            clock: clock.clone(),
        };
        MemoryStore::new(&log(1, 1_000), options)
    };
    let system = Clock::system();
    let (one, other) = (on(&system), on(&system));
    let by_hand = on(&Clock::Manual(Arc::clone(&manual)));
    let times = |gate: &MemoryGate, name: &str| {
        let mut asks = asks(gate, &[(0, name, 1), (1, name, 1)]);
        let verdict = gate.check(&mut asks, Patience::Wait).expect("valid");
        assert!(verdict.allowed);
        let at = |ask: &LimitAsk<'_>| ask.decision.expect("asked").receipt.at;
        [at(&asks[0]), at(&asks[1])]
    };
    let before = system.now();
    let same = times(&gate(vec![limit(&one), limit(&other)]), "k");
    assert!(same[0] == same[1] && same[0] >= before && same[0] <= system.now());
    manual.advance(SECOND);
    let mixed = times(&gate(vec![limit(&one), limit(&by_hand)]), "l");
    assert!(mixed[0] >= same[0] && mixed[1] == SECOND);
}
