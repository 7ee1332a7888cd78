//! What changes under those who wait.

use super::*;
use crate::error::Error;
use crate::store::{Stop, Store};

/// Two limits of which the first is spent, and one who waits.
fn waiting(algorithm: &TokenBucket) -> (Arc<MemoryStore<TokenBucket>>, Arc<MemoryGate>, Waiting) {
    let clock = Arc::new(ManualClock::new(0));
    let (spent, other) = (store(algorithm, &clock, 99), store(&log(9, 10), &clock, 99));
    let gate = Arc::new(gate(vec![limit(&spent), limit(&other)]));
    assert!(check(&gate, &[(0, "k", algorithm.limit())]).allowed);
    let waiting = join(&gate, &[(0, "k", 1), (1, "k", 1)]);
    waiting.bell.was_rung();
    (spent, gate, waiting)
}

#[test]
fn refunds_resets_and_quotas_reach_those_who_wait() {
    type Change = fn(&MemoryStore<TokenBucket>, crate::store::Fingerprint);
    let changes: [Change; 4] = [
        |store, key| store.refund(key, 1, Patience::Wait).expect("spent"),
        |store, key| store.reset(key, Patience::Wait).expect("free"),
        |store, _| store.clear(),
        |store, _| store.set_algorithm(bucket(2, 0.001)),
    ];
    for change in changes {
        let (spent, gate, waiting) = waiting(&bucket(1, 0.001));
        change(&spent, gate.fingerprint(b"k"));
        assert!(waiting.bell.was_rung());
        assert_eq!((waiting.poll(), applicants(&gate)), (Some(true), 0));
    }
}

#[test]
fn whoever_leaves_is_known_nowhere() {
    let (spent, gate, waiting) = waiting(&bucket(1, 0.001));
    assert_eq!(applicants(&gate), 2);
    waiting.ticket.leave(Patience::Wait).expect("free");
    let polled = waiting.ticket.poll(Patience::Wait).expect("free");
    assert!(matches!(polled, GatePolled::Gone) && applicants(&gate) == 0);
    spent.clear();
    assert_eq!(remaining(&*spent, "k"), 1);
    assert!(!waiting.bell.was_rung());
}

#[test]
fn a_cost_that_a_new_quota_can_never_admit_is_an_error_for_its_waiter() {
    let clock = Arc::new(ManualClock::new(0));
    let stores = [1, 2].map(|_| store(&bucket(5, 0.1), &clock, 99));
    let gate = Arc::new(gate(stores.iter().map(limit).collect()));
    assert!(check(&gate, &[(0, "k", 5), (1, "k", 1)]).allowed);
    let waiting = join(&gate, &[(0, "k", 4), (1, "k", 4)]);
    stores[0].set_algorithm(bucket(3, 0.1));
    clock.advance(90 * SECOND);
    // It holds up nobody but until it has come.
    assert!(!check(&gate, &[(0, "k", 1)]).allowed && waiting.bell.was_rung());
    let impossible = Error::CostAboveLimit { cost: 4, limit: 3 };
    let polled = waiting.ticket.poll(Patience::Wait);
    assert_eq!(polled.unwrap_err(), Stop::from(impossible));
    assert_eq!(applicants(&gate), 0);
    assert!(check(&gate, &[(0, "k", 1)]).allowed);
}

#[test]
fn who_waits_goes_by_the_quota_of_the_last_call() {
    let clock = Arc::new(ManualClock::new(0));
    let stores = [1, 2].map(|_| store(&log(1, 10), &clock, 99));
    let gate = Arc::new(gate(stores.iter().map(limit).collect()));
    let keys = [(0, "k", 1), (1, "k", 1)];
    assert!(check(&gate, &keys).allowed);
    let waiting = join(&gate, &[(0, "k", 1)]);
    let quota: Quota = "3/10 seconds".parse().expect("valid");
    let mut richer = asks(&gate, &[(0, "k", 1)]);
    richer[0].ask.quota = Some(&quota);
    waiting.bell.was_rung();
    let told = gate.check(&mut richer, Patience::Wait).expect("valid");
    assert!(
        !told.allowed && waiting.bell.was_rung(),
        "the first one has not come"
    );
    assert_eq!(waiting.poll(), Some(true));
    assert!(
        gate.check(&mut richer, Patience::Wait)
            .expect("valid")
            .allowed
    );
}

#[test]
fn a_gate_that_is_replaced_sends_its_waiters_to_the_next_one() {
    let clock = Arc::new(ManualClock::new(0));
    let stores = [1, 2].map(|_| store(&log(1, 10), &clock, 99));
    let before = Arc::new(gate(stores.iter().map(limit).collect()));
    let keys = [(0, "k", 1), (1, "k", 1)];
    assert!(check(&before, &keys).allowed);
    let (first, second) = (join(&before, &keys), join(&before, &keys));
    let after = Arc::new(gate(stores.iter().map(limit).collect()));
    before.dismiss_waiters();
    assert!(first.bell.was_rung() && second.bell.was_rung());
    let again = |one: &Waiting, gate: &Arc<MemoryGate>| {
        let wake: Arc<dyn Wake> = one.bell.clone();
        let number = Some(one.ticket.number());
        let questions = questions(gate, &keys);
        gate.join(&questions, (None, number), &wake, Patience::Wait)
    };
    for one in [&second, &first] {
        let polled = one.ticket.poll(Patience::Wait).expect("free");
        assert!(matches!(polled, GatePolled::Gone));
        let joined = again(one, &before);
        assert!(matches!(joined, Ok(GateJoined::Gone(number)) if number == one.ticket.number()));
    }
    assert_eq!(applicants(&after), 0);
    let anew = [&second, &first].map(|one| match again(one, &after) {
        Ok(GateJoined::Queued { ticket, .. }) => ticket,
        _ => panic!("it has to wait"),
    });
    drop((first, second));
    clock.advance(10 * SECOND);
    let settles =
        |ticket: &GateTicket| matches!(ticket.poll(Patience::Wait), Ok(GatePolled::Settled(_)));
    assert!(
        !settles(&anew[0]) && settles(&anew[1]),
        "the order is that of before"
    );
}

#[test]
fn everybody_is_woken_for_a_reason_of_their_own() {
    let (_spent, gate, first) = waiting(&bucket(1, 0.001));
    let second = join(&gate, &[(0, "k", 1), (1, "k", 1)]);
    second.bell.was_rung();
    crate::fork::wake_all();
    assert!(first.bell.was_rung() && second.bell.was_rung());
}

#[test]
fn one_who_waits_for_room_finds_it() {
    let clock = Arc::new(ManualClock::new(0));
    let (small, large) = (
        store(&log(1, 10), &clock, 1),
        store(&log(1, 30), &clock, 99),
    );
    let gate = Arc::new(gate(vec![limit(&small), limit(&large)]));
    assert!(check(&gate, &[(0, "held", 1)]).allowed);
    clock.advance(9 * SECOND);
    assert!(
        check(&gate, &[(0, "shares", 1)]).allowed,
        "by what new keys share"
    );
    let waiting = join(&gate, &[(0, "new", 1), (1, "new", 1)]);
    // The shared quota is back at 19 s, and the key that is held goes idle at 10 s.
    let at = waiting.poll_at.expect("it looks for room");
    assert!(at <= 11 * SECOND, "{at}");
    clock.advance(at.max(10 * SECOND) - clock.now());
    assert_eq!((waiting.poll(), applicants(&gate)), (Some(true), 0));
}

#[test]
fn a_lock_that_is_held_stops_who_does_not_wait() {
    let (spent, gate, waiting) = waiting(&bucket(1, 0.001));
    let part = crate::store::Part {
        ask: Ask::new(gate.fingerprint(b"k"), 1),
        is_shadow: true,
        now: None,
        purpose: crate::store::Purpose::Look,
        may_have_room: true,
        patience: Patience::Wait,
        queuing: None,
    };
    let taken = spent.take_part(&part, &mut |_| {
        let polled = waiting.ticket.poll(Patience::Try);
        assert!(matches!(polled, Err(Stop::Locked)));
        assert_eq!(waiting.ticket.leave(Patience::Try), Err(Stop::Locked));
        Ok(false)
    });
    assert!(taken.is_ok());
    assert!(waiting.poll().is_none(), "it still waits");
}

#[cfg(unix)]
#[test]
fn whoever_lined_up_before_a_fork_does_not_wait_in_the_child() {
    let (_spent, gate, waiting) = waiting(&bucket(1, 0.001));
    let status = super::super::forks::status_of_child(|| {
        let polled = waiting.ticket.poll(Patience::Try);
        let is_gone = matches!(polled, Ok(GatePolled::Gone)) && applicants(&gate) == 0;
        is_gone && check(&gate, &[(1, "k", 9)]).allowed
    });
    assert_eq!(status, 0);
    assert!(waiting.poll().is_none() && applicants(&gate) == 2);
}
