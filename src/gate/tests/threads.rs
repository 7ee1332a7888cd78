//! Threads that call with the same limits in different orders: exact, and no two wait for each other.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::*;

pub(super) const THREADS: usize = 8;

/// Names whose keys are in the first two of the shards, so that they collide.
fn colliding(what: &str, count: usize) -> Vec<String> {
    let hasher = crate::store::KeyHasher::of_process();
    let names = (0..).map(|number| format!("{what} {number}"));
    names
        .filter(|name| hasher.fingerprint(name.as_bytes()).shard() % 64 < 2)
        .take(count)
        .collect()
}

/// How often `call` says yes in all threads: it gets the thread's number, and that of the call.
pub(super) fn count_yes(
    calls: usize,
    call: impl Fn(usize, usize) -> bool + Send + Sync + 'static,
) -> usize {
    let counted = counted_within(Duration::from_secs(60), calls, call);
    counted.expect("some wait for each other")
}

/// The same; `None` if the threads have not ended by then.
pub(super) fn counted_within(
    longest: Duration,
    calls: usize,
    call: impl Fn(usize, usize) -> bool + Send + Sync + 'static,
) -> Option<usize> {
    let (call, (sender, receiver)) = (Arc::new(call), channel());
    for number in 0..THREADS {
        let (call, sender) = (Arc::clone(&call), sender.clone());
        thread::spawn(move || {
            let yes = (0..calls).filter(|&at| call(number, at)).count();
            let _ = sender.send(yes);
        });
    }
    let counts = (0..THREADS).map(|_| receiver.recv_timeout(longest).ok());
    counts.sum()
}

#[test]
fn exactly_the_smallest_is_admitted_whatever_the_order() {
    for round in 0..20 {
        let clock = Arc::new(ManualClock::new(0));
        let (low, middle, high) = (
            store(&log(100, 10), &clock, 99),
            store(&bucket(200, 1.0), &clock, 99),
            store(&fixed(300, 10), &clock, 99),
        );
        let gate = Arc::new(gate(match round % 3 {
            0 => vec![limit(&low), limit(&middle), limit(&high)],
            1 => vec![limit(&high), limit(&low), limit(&middle)],
            _ => vec![limit(&middle), limit(&high), limit(&low)],
        }));
        let (first, second) = (Arc::clone(&gate), colliding("hot", 1));
        let name = second[0].clone();
        let admitted = count_yes(200, move |thread, call| {
            let mut limits = [0, 1, 2];
            limits.rotate_left((thread + call) % 3);
            if thread % 2 == 0 {
                limits.reverse();
            }
            let keys = limits.map(|limit| (limit, name.as_str(), 1));
            check(&first, &keys).allowed
        });
        assert_eq!(admitted, 100);
        let left = [
            remaining(&*low, &second[0]),
            remaining(&*middle, &second[0]),
            remaining(&*high, &second[0]),
        ];
        assert_eq!(left, [0, 100, 200]);
    }
}

#[test]
fn all_limits_have_spent_the_same_and_nobody_is_refused_in_vain() {
    let clock = Arc::new(ManualClock::new(0));
    let (users, routes, org) = (
        store(&log(30, 10), &clock, 99),
        store(&SegmentedWindow::new(50, 10 * SECOND), &clock, 99),
        store(&fixed(400, 10), &clock, 99),
    );
    let one = Arc::new(gate(vec![limit(&users), limit(&routes), limit(&org)]));
    let other = gate(vec![limit(&org), limit(&routes), limit(&users)]);
    let (user, route) = (colliding("user", 12), colliding("route", 5));
    let (names, called) = ((user.clone(), route.clone()), Arc::clone(&one));
    let admitted = count_yes(2_000, move |thread, call| {
        let user = names.0[(call * 7 + thread) % 12].as_str();
        let route = names.1[(call * 3 + thread * 5) % 5].as_str();
        if thread % 2 == 0 {
            check(&called, &[(2, "org", 1), (0, user, 1), (1, route, 1)]).allowed
        } else {
            check(&other, &[(1, route, 1), (2, user, 1), (0, "org", 1)]).allowed
        }
    });
    let spent = |store: &dyn JointStore, names: &[String], limit: u32| {
        let ask = |name: &String| Ask::new(store.fingerprint(name.as_bytes()), 1);
        let left = |name| {
            store
                .peek(ask(name), Patience::Wait)
                .expect("valid")
                .remaining
        };
        names.iter().map(|name| limit - left(name)).sum::<u32>() as usize
    };
    // 12 users of 30, 5 routes of 50: the routes are the smallest sum.
    assert_eq!(admitted, 250);
    assert_eq!(spent(&*users, &user, 30), admitted);
    assert_eq!(spent(&*routes, &route, 50), admitted);
    assert_eq!(spent(&*org, &["org".into()], 400), admitted);
}
