//! Many who wait, in threads and in one.

use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

use super::*;
use crate::store::{Parker, Store};

#[test]
fn ten_thousand_waiters_need_few_timers() {
    let clock = Arc::new(ManualClock::new(0));
    let (users, org) = (
        store(&log(9, 10), &clock, 99_999),
        store(&bucket(1, 1_000.0), &clock, 99),
    );
    let gate = Arc::new(gate(vec![limit(&users), limit(&org)]));
    assert!(check(&gate, &[(1, "org", 1)]).allowed);
    let names: Vec<_> = (0..10_000).map(|number| format!("user {number}")).collect();
    let line: Vec<_> = names
        .iter()
        .map(|name| join(&gate, &[(0, name, 1), (1, "org", 1)]))
        .collect();
    let timed = line.iter().filter(|one| one.poll_at.is_some()).count();
    assert!(timed < 300, "{timed} timers");
    assert_eq!(
        check(&gate, &[(1, "org", 1)]).retry_after,
        10_001 * SECOND / 1_000
    );
    for one in &line {
        clock.advance(SECOND / 1_000);
        assert_eq!(one.poll(), Some(true));
    }
    assert_eq!(applicants(&gate), 0);
}

#[test]
fn a_crowd_that_vanished_holds_up_nobody() {
    let clock = Arc::new(ManualClock::new(0));
    let stores = [
        store(&log(1, 10), &clock, 99),
        store(&log(1, 10), &clock, 99),
    ];
    let gate = Arc::new(gate(stores.iter().map(limit).collect()));
    let keys = [(0, "k", 1), (1, "k", 1)];
    assert!(check(&gate, &keys).allowed);
    let vanished: Vec<_> = (0..10_000).map(|_| join(&gate, &keys)).collect();
    let last = join(&gate, &keys);
    for one in &vanished {
        one.bell.gone.store(true, SeqCst);
    }
    clock.advance(10 * SECOND);
    assert!(last.bell.was_rung());
    assert_eq!((last.poll(), applicants(&gate)), (Some(true), 0));
}

/// Whoever is passed over in silence sleeps until its longest pause is over, which is too late.
#[test]
fn threads_that_wait_are_all_admitted() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 150;
    let clock = crate::clock::Clock::system();
    let options = || Options {
        max_keys: 999,
        overflow: Overflow::Share,
        clock: clock.clone(),
    };
    let permits = MemoryStore::new(&Permits { limit: 2, lease: 0 }, options());
    let users = MemoryStore::new(&bucket(2, 2_000.0), options());
    let org = MemoryStore::new(&bucket(3, 4_000.0), options());
    let gates = [
        Arc::new(gate(vec![limit(&permits), limit(&users), limit(&org)])),
        Arc::new(gate(vec![limit(&org), limit(&permits), limit(&users)])),
    ];
    let places = [[0, 1, 2], [1, 2, 0]];
    let (inside, admitted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let key = gates[0].fingerprint(b"model");
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (gates, permits) = (&gates, &permits);
            let (inside, admitted) = (&inside, &admitted);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let which = (number + round) % 2;
                    let user = ["u0", "u1", "u2"][(number + round) % 3];
                    let [permit, one, all] = places[which];
                    let keys = [(permit, "model", 1), (one, user, 1), (all, "org", 1)];
                    wait_in_thread(&gates[which], &keys);
                    assert!(inside.fetch_add(1, SeqCst) < 2, "two permits");
                    admitted.fetch_add(1, SeqCst);
                    if round % 3 == 0 {
                        thread::yield_now();
                    }
                    inside.fetch_sub(1, SeqCst);
                    permits.refund(key, 1, Patience::Wait).expect("held");
                }
            });
        }
    });
    assert_eq!(admitted.load(SeqCst), THREADS * ROUNDS);
    assert_eq!(applicants(&gates[0]), 0);
}

/// Every seventh gives up now and then and lines up anew.
fn wait_in_thread(gate: &Arc<MemoryGate>, keys: &[(usize, &str, u32)]) {
    let parker = Arc::new(Parker::default());
    let wake: Arc<dyn Wake> = parker.clone();
    let questions = questions(gate, keys);
    let joined = gate.join(&questions, (None, None), &wake, Patience::Wait);
    let (ticket, mut poll_at) = match joined.expect("valid") {
        GateJoined::Settled(settled) => {
            assert!(settled.verdict.allowed);
            return;
        }
        GateJoined::Queued { ticket, poll_at } => (ticket, poll_at),
        GateJoined::Gone(_) => panic!("the gate was not replaced"),
    };
    if ticket.number() % 7 == 0 {
        drop(ticket);
        return wait_in_thread(gate, keys);
    }
    let longest = Duration::from_secs(20);
    loop {
        let now = gate.limits()[0].store.now();
        let left = poll_at.map(|at| Duration::from_micros(at.saturating_sub(now)));
        let before = std::time::Instant::now();
        parker.park(Some(left.unwrap_or(longest).min(longest)));
        assert!(before.elapsed() < longest, "nobody has woken it");
        match ticket.poll(Patience::Wait).expect("valid") {
            GatePolled::Settled(settled) => {
                assert!(settled.verdict.allowed);
                return;
            }
            GatePolled::Pending(at) => poll_at = at,
            GatePolled::Gone => panic!("it waits"),
        }
    }
}
