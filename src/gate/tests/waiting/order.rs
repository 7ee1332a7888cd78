//! Who goes first, and who is passed.

use super::*;
use crate::error::Error;
use crate::store::{Joined, Queues, Stop};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(0))
}

#[test]
fn one_user_who_waits_for_an_hour_holds_up_nobody_of_his_organisation() {
    let clock = clock();
    let (users, org) = (
        store(&log(1, 3_600), &clock, 99),
        store(&log(5, 10), &clock, 99),
    );
    let gate = Arc::new(gate(vec![limit(&users), limit(&org)]));
    assert!(check(&gate, &[(0, "u1", 1), (1, "org", 1)]).allowed);
    let patient = join(&gate, &[(0, "u1", 1), (1, "org", 2)]);
    for user in ["u2", "u3"] {
        assert!(check(&gate, &[(0, user, 1), (1, "org", 1)]).allowed);
    }
    // Two are left, which would do for him: he is passed.
    let other = join_for(&gate, &[(0, "u4", 1), (1, "org", 1)], None);
    assert!(other.is_err_and(|settled| settled.verdict.allowed));
    // One is left. The organisation refuses him as well, so nobody takes it from him there.
    let refused = check(&gate, &[(0, "u5", 1), (1, "org", 1)]);
    assert_eq!((refused.allowed, refused.refused_by), (false, 0b10));
    let later = join(&gate, &[(0, "u5", 1), (1, "org", 1)]);
    assert!(
        check(&gate, &[(0, "u5", 1)]).allowed,
        "nobody waits for that"
    );
    clock.advance(10 * SECOND);
    assert!(patient.poll().is_none());
    assert!(later.poll().is_none(), "his own quota is spent now");
    assert_eq!(remaining(&*org, "org"), 5);
    assert!(check(&gate, &[(0, "u6", 1), (1, "org", 4)]).allowed);
    clock.advance(3_590 * SECOND);
    assert_eq!(patient.poll(), Some(true));
}

#[test]
fn the_order_is_the_same_at_every_limit_and_gate() {
    let clock = clock();
    let stores = [1, 2].map(|_| store(&log(1, 10), &clock, 99));
    let one = Arc::new(gate(vec![limit(&stores[0]), limit(&stores[1])]));
    let other = Arc::new(gate(vec![limit(&stores[1]), limit(&stores[0])]));
    assert!(check(&one, &[(0, "k", 1), (1, "k", 1)]).allowed);
    let first = join(&one, &[(0, "k", 1), (1, "k", 1)]);
    let second = join(&other, &[(0, "k", 1), (1, "k", 1)]);
    let third = join(&one, &[(1, "k", 1)]);
    assert!(first.ticket.number() < second.ticket.number());
    clock.advance(10 * SECOND);
    assert!(second.poll().is_none() && third.poll().is_none());
    assert_eq!(first.poll(), Some(true));
    clock.advance(10 * SECOND);
    assert!(!check(&one, &[(0, "k", 1)]).allowed);
    assert!(third.poll().is_none());
    drop(second);
    assert!(third.bell.was_rung());
    assert_eq!((third.poll(), applicants(&one)), (Some(true), 0));
}

#[test]
fn a_refund_frees_a_permit_for_the_first_who_can_use_it() {
    let clock = clock();
    let permits = store(&Permits { limit: 1, lease: 0 }, &clock, 99);
    let users = store(&log(1, 10), &clock, 99);
    let gate = Arc::new(gate(vec![limit(&users), limit(&permits)]));
    assert!(check(&gate, &[(0, "u1", 1), (1, "model", 1)]).allowed);
    let spent = join(&gate, &[(0, "u1", 1), (1, "model", 1)]);
    let fresh = join(&gate, &[(0, "u2", 1), (1, "model", 1)]);
    assert_eq!(
        (spent.poll_at, fresh.poll_at),
        (None, None),
        "no time frees a permit"
    );
    spent.bell.was_rung();
    let key = gate.fingerprint(b"model");
    crate::store::Store::refund(&*permits, key, 1, Patience::Wait).expect("held");
    assert!(spent.bell.was_rung() && !fresh.bell.was_rung());
    assert!(spent.poll().is_none(), "his own quota is spent");
    assert!(fresh.bell.was_rung());
    assert_eq!(fresh.poll(), Some(true));
}

#[test]
fn whoever_could_be_admitted_is_waited_for_until_it_has_come() {
    let clock = clock();
    let stores = [1, 2].map(|_| store(&log(1, 10), &clock, 99));
    let gate = Arc::new(gate(stores.iter().map(limit).collect()));
    assert!(check(&gate, &[(0, "k", 1)]).allowed);
    let waiting = join(&gate, &[(0, "k", 1), (1, "k", 1)]);
    assert!(
        check(&gate, &[(1, "k", 1)]).allowed,
        "it would be admitted there"
    );
    clock.advance(10 * SECOND);
    waiting.bell.was_rung();
    let refused = check(&gate, &[(0, "k", 1)]);
    assert_eq!((refused.allowed, refused.retry_after), (false, 10 * SECOND));
    assert!(waiting.bell.was_rung());
    assert_eq!(
        gate.peek(&mut asks(&gate, &[(0, "k", 1)]), Patience::Wait),
        Ok(refused)
    );
    // Whoever has met it is not the only one that it is waited for by.
    assert!(!check(&gate, &[(1, "k", 1)]).allowed);
    stores[1]
        .spend_anyway(Ask::new(gate.fingerprint(b"k"), 1), Patience::Wait)
        .expect("free");
    // Once it is refused elsewhere nobody waits for it here.
    assert!(check(&gate, &[(0, "k", 1)]).allowed);
    assert!(waiting.poll().is_none());
}

#[test]
fn those_who_wait_for_one_limiter_alone_go_first() {
    let clock = clock();
    let (queued, other) = (
        store(&log(1, 10), &clock, 99),
        store(&log(9, 10), &clock, 99),
    );
    let gate = Arc::new(gate(vec![limit(&queued), limit(&other)]));
    let key = gate.fingerprint(b"k");
    assert!(check(&gate, &[(0, "k", 1)]).allowed);
    let bell = Arc::new(Bell::default());
    let wake: Arc<dyn Wake> = bell.clone();
    let joined = queued.join(Ask::new(key, 1), None, &wake, Patience::Wait);
    let Ok(Joined::Queued { ticket, .. }) = joined else {
        panic!("{joined:?}");
    };
    let waiting = join(&gate, &[(0, "k", 1), (1, "k", 1)]);
    clock.advance(10 * SECOND);
    assert!(waiting.poll().is_none());
    waiting.bell.was_rung();
    queued.leave(&ticket, Patience::Wait).expect("free");
    assert!(waiting.bell.was_rung());
    assert_eq!(waiting.poll(), Some(true));
}

struct Here(bool);

impl Wake for Here {
    fn wake(&self) -> bool {
        true
    }

    fn blocks_this_thread(&self) -> bool {
        self.0
    }

    fn needs_this_thread(&self) -> bool {
        !self.0
    }
}

#[test]
fn a_thread_does_not_block_behind_a_waiter_that_needs_it() {
    let clock = clock();
    let stores = [1, 2].map(|_| store(&log(1, 10), &clock, 99));
    let gate = Arc::new(gate(stores.iter().map(limit).collect()));
    assert!(check(&gate, &[(0, "k", 1)]).allowed);
    let join = |blocks| {
        let wake: Arc<dyn Wake> = Arc::new(Here(blocks));
        let questions = questions(&gate, &[(0, "k", 1), (1, "k", 1)]);
        gate.join(&questions, (None, None), &wake, Patience::Wait)
    };
    let first = join(true);
    assert!(
        matches!(first, Ok(GateJoined::Queued { .. })),
        "nobody else waits"
    );
    let second = join(false);
    assert!(matches!(second, Ok(GateJoined::Queued { .. })));
    assert!(matches!(join(true), Err(stop) if stop == Stop::from(Error::WouldNeverWake)));
    assert_eq!(applicants(&gate), 4);
}
