//! How long a call may wait: told up front, and again when it has grown.

use super::*;

#[test]
fn the_longest_single_wait_is_told_up_front() {
    let clock = Arc::new(ManualClock::new(0));
    let (short, long) = (
        store(&log(1, 10), &clock, 99),
        store(&log(1, 60), &clock, 99),
    );
    let gate = Arc::new(gate(vec![limit(&short), limit(&long)]));
    let both = [(0, "k", 1), (1, "k", 1)];
    assert!(check(&gate, &both).allowed);
    let refused = join_for(&gate, &both, Some(60 * SECOND - 1))
        .err()
        .expect("too long");
    assert_eq!(
        (refused.verdict.refused_by, refused.verdict.retry_after),
        (0b11, 60 * SECOND)
    );
    assert_eq!(applicants(&gate), 0);
    let waiting = join_for(&gate, &both, Some(60 * SECOND)).expect("in time");
    assert_eq!(waiting.poll_at, Some(60 * SECOND));
    // Those before it at the longer one count: they are admitted at 60 s and 120 s.
    let refused = join_for(&gate, &[(1, "k", 1)], Some(120 * SECOND - 1)).err();
    assert_eq!(refused.expect("too long").verdict.retry_after, 120 * SECOND);
    assert!(join_for(&gate, &[(1, "k", 1)], Some(120 * SECOND)).is_ok());
    let counted = gate.statistics(Patience::Wait).expect("free");
    let counted: Vec<_> = counted
        .iter()
        .map(|one| (one.admitted, one.refused))
        .collect();
    assert_eq!(counted, [(1, 1), (1, 2)]);
}

#[test]
fn one_who_would_be_admitted_here_makes_nobody_wait() {
    let clock = Arc::new(ManualClock::new(0));
    let (users, org) = (
        store(&log(1, 3_600), &clock, 99),
        store(&log(2, 10), &clock, 99),
    );
    let gate = Arc::new(gate(vec![limit(&users), limit(&org)]));
    assert!(check(&gate, &[(0, "u1", 1), (1, "org", 1)]).allowed);
    let _patient = join(&gate, &[(0, "u1", 1), (1, "org", 1)]);
    // Of two units one is left, and the other comes back at 10 s.
    let waiting = join_for(&gate, &[(0, "u2", 1), (1, "org", 2)], Some(10 * SECOND));
    assert_eq!(waiting.expect("in time").poll_at, Some(10 * SECOND));
}

#[test]
fn a_wait_that_has_grown_beyond_the_deadline_is_given_up() {
    let clock = Arc::new(ManualClock::new(0));
    let stores = [1, 2].map(|_| store(&bucket(1, 0.1), &clock, 99));
    let gate = Arc::new(gate(stores.iter().map(limit).collect()));
    let both = [(0, "k", 1), (1, "k", 1)];
    assert!(check(&gate, &both).allowed);
    let waiting = join_for(&gate, &both, Some(15 * SECOND)).expect("in time");
    assert!(waiting.poll().is_none());
    let key = gate.fingerprint(b"k");
    stores[1]
        .spend_anyway(Ask::new(key, 1), Patience::Wait)
        .expect("free");
    assert_eq!(waiting.poll(), Some(false));
    assert_eq!(applicants(&gate), 0);
}

#[test]
fn whoever_waits_behind_others_gives_up_at_its_deadline() {
    let clock = Arc::new(ManualClock::new(0));
    let permits = store(&Permits { limit: 1, lease: 0 }, &clock, 99);
    let other = store(&log(9, 10), &clock, 99);
    let gate = Arc::new(gate(vec![limit(&permits), limit(&other)]));
    let both = [(0, "k", 1), (1, "k", 1)];
    assert!(check(&gate, &both).allowed);
    let first = join(&gate, &both);
    let second = join_for(&gate, &both, Some(5 * SECOND)).expect("nobody knows");
    assert_eq!((first.poll_at, second.poll_at), (None, Some(5 * SECOND)));
    clock.advance(5 * SECOND - 1);
    assert!(second.poll().is_none());
    clock.advance(1);
    assert!(second.bell.was_rung());
    assert_eq!(second.poll(), Some(false));
    assert_eq!((first.poll(), applicants(&gate)), (None, 2));
}

#[test]
fn those_who_come_late_make_others_give_up() {
    let clock = Arc::new(ManualClock::new(0));
    let stores = [1, 2].map(|_| store(&log(1, 10), &clock, 99));
    let gate = Arc::new(gate(stores.iter().map(limit).collect()));
    let both = [(0, "k", 1), (1, "k", 1)];
    assert!(check(&gate, &both).allowed);
    let first = join(&gate, &both);
    let second = join_for(&gate, &both, Some(25 * SECOND)).expect("in time");
    clock.advance(15 * SECOND);
    assert!(
        second.poll().is_none(),
        "at 25 s if the first one comes now"
    );
    clock.advance(1);
    assert_eq!((second.poll(), first.poll()), (Some(false), Some(true)));
    assert_eq!(applicants(&gate), 0);
}

#[test]
fn a_plan_follows_those_who_come_and_go() {
    let clock = Arc::new(ManualClock::new(0));
    let (slow, other) = (
        store(&bucket(1, 1.0), &clock, 99),
        store(&log(999, 10), &clock, 99),
    );
    let gate = Arc::new(gate(vec![limit(&slow), limit(&other)]));
    let both = [(0, "k", 1), (1, "k", 1)];
    assert!(check(&gate, &both).allowed);
    let mut line: Vec<_> = (0..6).map(|_| join(&gate, &both)).collect();
    let wait = |gate: &Arc<MemoryGate>| check(gate, &both).retry_after;
    assert_eq!(wait(&gate), 7 * SECOND);
    drop(line.remove(3));
    assert_eq!(wait(&gate), 6 * SECOND);
    for left in (1..5).rev() {
        clock.advance(SECOND);
        assert_eq!(line.remove(0).poll(), Some(true));
        assert_eq!(wait(&gate), (left + 1) * SECOND);
        // Another joins at the end and leaves again.
        let last = join(&gate, &both);
        assert_eq!(wait(&gate), (left + 2) * SECOND);
        drop(last);
    }
}

#[test]
fn a_plan_is_made_anew_when_another_is_admitted_in_between() {
    let clock = Arc::new(ManualClock::new(0));
    let permits = store(&Permits { limit: 1, lease: 0 }, &clock, 99);
    let rate = store(&log(2, 10), &clock, 99);
    let gate = Arc::new(gate(vec![limit(&permits), limit(&rate)]));
    assert!(check(&gate, &[(0, "k", 1), (1, "k", 1)]).allowed);
    // Both wait for the permit, and are planned at the rate: at 10 s and 20 s.
    let _large = join(&gate, &[(0, "k", 1), (1, "k", 2)]);
    let _small = join(&gate, &[(0, "k", 1), (1, "k", 1)]);
    clock.advance(10 * SECOND);
    assert!(check(&gate, &[(1, "k", 2)]).allowed, "it passes both");
    // So now it is at 20 s and 30 s, where one unit is left.
    let refused = join_for(&gate, &[(1, "k", 1)], Some(20 * SECOND - 1)).err();
    assert_eq!(refused.expect("too long").verdict.retry_after, 20 * SECOND);
    let waiting = join_for(&gate, &[(1, "k", 1)], Some(20 * SECOND));
    assert!(waiting.is_ok());
}

#[test]
fn a_plan_is_made_anew_when_another_key_spends_what_they_share() {
    let clock = Arc::new(ManualClock::new(0));
    let permits = store(&Permits { limit: 1, lease: 0 }, &clock, 99);
    let rate = store(&log(2, 10), &clock, 1);
    let gate = Arc::new(gate(vec![limit(&permits), limit(&rate)]));
    assert!(check(&gate, &[(1, "the only one that there is room for", 2)]).allowed);
    assert!(check(&gate, &[(0, "k", 1), (1, "k", 1)]).allowed);
    // Both wait for the permit, and are planned at what keys without room share: at 10 s and 20 s.
    let _large = join(&gate, &[(0, "k", 1), (1, "k", 2)]);
    let _small = join(&gate, &[(0, "k", 1), (1, "k", 1)]);
    clock.advance(5 * SECOND);
    assert!(check(&gate, &[(1, "another", 1)]).allowed);
    // So now it is at 15 s and 25 s, where one unit is left.
    let refused = join_for(&gate, &[(1, "k", 1)], Some(20 * SECOND - 1)).err();
    assert_eq!(refused.expect("too long").verdict.retry_after, 20 * SECOND);
}

#[test]
fn a_plan_that_others_have_passed_is_made_anew() {
    let clock = Arc::new(ManualClock::new(0));
    let (short, long) = (
        store(&fixed(4, 10), &clock, 99),
        store(&log(1, 3_600), &clock, 99),
    );
    let gate = Arc::new(gate(vec![limit(&short), limit(&long)]));
    assert!(check(&gate, &[(0, "k", 4), (1, "k", 1)]).allowed);
    let _patient = join(&gate, &[(0, "k", 1), (1, "k", 1)]);
    let refused = join_for(&gate, &[(0, "k", 3)], Some(8 * SECOND)).err();
    assert_eq!(refused.expect("too long").verdict.retry_after, 10 * SECOND);
    clock.advance(11 * SECOND);
    // The long one refuses the patient one for an hour, so it is passed at the short one.
    assert!(check(&gate, &[(0, "k", 4)]).allowed);
    let refused = join_for(&gate, &[(0, "k", 3)], Some(8 * SECOND)).err();
    assert_eq!(refused.expect("too long").verdict.retry_after, 9 * SECOND);
}
