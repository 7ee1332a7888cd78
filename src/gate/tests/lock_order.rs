//! Gates of the same limits lock in one order, whatever theirs is. The mutant that does not is found out.

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::threads::counted_within;
use super::*;

const ORDER: &str = "SLUICEGATE_TEST_LOCK_ORDER";

/// Two gates of the same limits, given in two orders: whether all of their calls end.
fn all_end(made: fn(Vec<Limit>) -> MemoryGate) -> bool {
    let clock = Arc::new(ManualClock::new(0));
    let (one, other) = (
        store(&fixed(5, 10), &clock, 99),
        store(&fixed(5, 10), &clock, 99),
    );
    let gates = [
        made(vec![limit(&one), limit(&other)]),
        made(vec![limit(&other), limit(&one)]),
    ];
    let counted = counted_within(Duration::from_secs(2), 10_000, move |thread, _| {
        check(&gates[thread % 2], &[(0, "hot", 1), (1, "hot", 1)]).allowed
    });
    counted.is_some()
}

/// What is waited for in it is never free again, and would hold up other tests' forks.
#[test]
fn a_process() {
    match env::var(ORDER).as_deref() {
        Ok("one") => assert!((0..3).all(|_| all_end(gate))),
        Ok("its own") => {
            assert!((0..50).all(|_| all_end(|limits| gate(limits).locking_as_given())));
        }
        _ => {}
    }
}

fn ends_well(order: &str) -> bool {
    let mut command = Command::new(env::current_exe().expect("this test"));
    let child = command
        .args(["gate::tests::lock_order::a_process", "--exact", "--quiet"])
        .env(ORDER, order)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    child.status().expect("ends").success()
}

#[test]
fn no_two_calls_wait_for_each_other_since_all_lock_in_one_order() {
    assert!(ends_well("one"));
    assert!(!ends_well("its own"));
}
