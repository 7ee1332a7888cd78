//! A process that forks while its threads are at a gate.

#![cfg(unix)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use super::threads::count_yes;
use super::*;

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(child: i32, status: *mut i32, options: i32) -> i32;
    fn alarm(seconds: u32) -> u32;
    fn _exit(status: i32) -> !;
}

/// What a forked child says of `check`, which must not take long: an exit status.
pub(super) fn status_of_child(check: impl Fn() -> bool) -> i32 {
    // SAFETY: the child only calls `check`, which waits for no lock of the test's, and leaves.
    unsafe {
        let child = fork();
        if child == 0 {
            alarm(20);
            _exit(i32::from(!check()));
        }
        let mut status = -1;
        assert_eq!(waitpid(child, &raw mut status, 0), child);
        status
    }
}

/// Stores are locked in the order that they were made in, by a fork as by a gate: neither waits for the
/// other, and a child finds every lock free.
#[test]
fn forks_and_calls_do_not_wait_for_each_other() {
    let clock = Arc::new(ManualClock::new(0));
    let stores = [1, 2, 3].map(|_| store(&fixed(u32::MAX, 10), &clock, 100));
    let gate = Arc::new(gate(stores.iter().rev().map(limit).collect()));
    let (is_over, forked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let names = ["a", "b", "c", "d"];
    count_yes(1_000_000, move |thread, call| {
        if is_over.load(SeqCst) {
            return false;
        }
        if thread == 0 {
            let status = status_of_child(|| {
                names.iter().all(|name| {
                    let keys = [(2, *name, 1), (0, name, 1), (1, name, 1)];
                    let told = gate.check(&mut asks(&gate, &keys), Patience::Try);
                    told.is_ok_and(|told| told.allowed)
                })
            });
            assert_eq!(status, 0, "a lock is held in the child");
            is_over.store(forked.fetch_add(1, SeqCst) >= 100, SeqCst);
            return true;
        }
        let name = names[(thread + call) % 4];
        let limits = if call % 2 == 0 { [0, 1, 2] } else { [2, 1, 0] };
        check(&gate, &limits.map(|limit| (limit, name, 1))).allowed
    });
}

/// Shards are made while the process forks: a child finds none half made.
#[test]
fn forks_and_first_calls_do_not_wait_for_each_other() {
    let clock = Arc::new(ManualClock::new(0));
    let stores: Vec<_> = (0..200)
        .map(|_| store(&fixed(u32::MAX, 10), &clock, 100))
        .collect();
    let gate = Arc::new(gate(stores.iter().map(limit).collect()));
    let forks = AtomicUsize::new(0);
    count_yes(10_000, move |thread, call| {
        let two = [call % 200, (call + 1) % 200];
        let keys = two.map(|limit| (limit, "a", 1));
        if thread > 0 {
            return check(&gate, &keys).allowed;
        }
        if forks.fetch_add(1, SeqCst) >= 40 {
            return false;
        }
        let status = status_of_child(|| {
            (0..200).all(|limit| {
                let told = gate.check(&mut asks(&gate, &[(limit, "a", 1)]), Patience::Try);
                told.is_ok_and(|told| told.allowed)
            })
        });
        assert_eq!(status, 0, "a lock is held in the child");
        true
    });
}
