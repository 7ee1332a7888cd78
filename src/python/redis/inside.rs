//! Threads of ours that use the interpreter, or wait for it, and who must be rid of them.
//!
//! A thread that comes to the interpreter takes a lock of its own kind before it has the
//! interpreter. Python 3.10 and 3.11 take that lock in a forked child before they make it anew:
//! a child that is forked meanwhile hangs. An interpreter that ends kills such threads.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{park, sleep};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// No lock, and nothing to wake: neither may be as it was in a forked child.
const PAUSE: Duration = Duration::from_micros(100);

/// A thread is inside for a moment. One that stays needs a lock that the thread that forks
/// holds, as for logging: it has come in long ago, and does no harm.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);

static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// Forks that are about to happen, or happen now.
static FORKS: AtomicUsize = AtomicUsize::new(0);
static ENDING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Forks that this thread has begun. Hooks that are registered while a fork is under way, by
    /// an import, see only its end.
    static BEGUN: Cell<usize> = const { Cell::new(0) };
    /// Whether it is this thread that ends the interpreter, and may use it until then.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// A thread that is inside, until this is dropped.
pub(super) struct Inside;

impl Inside {
    /// Come in when no fork is under way.
    fn new() -> Self {
        loop {
            INSIDE.fetch_add(1, SeqCst);
            if FORKS.load(SeqCst) == 0 {
                return Self;
            }
            INSIDE.fetch_sub(1, SeqCst);
            while FORKS.load(SeqCst) > 0 {
                sleep(PAUSE);
            }
        }
    }

    /// Come in, to take the interpreter again that this thread has let go of. When that ends, the
    /// thread sleeps until the process does.
    pub(super) fn come_back() -> Self {
        let inside = Self::new();
        if !ENDING.load(SeqCst) || ENDS.get() {
            return inside;
        }
        drop(inside);
        loop {
            park();
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, SeqCst);
    }
}

/// Do what needs the interpreter, unless that ends.
pub(super) fn within(work: impl FnOnce()) {
    let _inside = Inside::new();
    if !ENDING.load(SeqCst) {
        work();
    }
}

/// Whether the interpreter ends.
pub(super) fn is_ending() -> bool {
    ENDING.load(SeqCst)
}

/// Let those inside have the interpreter until the last is out, or for `at_most` so long.
fn wait_until_empty(py: Python<'_>, at_most: Duration) {
    if INSIDE.load(SeqCst) > 0 {
        py.detach(|| {
            let begun = Instant::now();
            while INSIDE.load(SeqCst) > 0 && begun.elapsed() < at_most {
                sleep(PAUSE);
            }
        });
    }
}

/// Before the interpreter ends: let no more threads in, and wait until the last is out.
pub(super) fn end(py: Python<'_>) {
    ENDS.set(true);
    ENDING.store(true, SeqCst);
    wait_until_empty(py, Duration::MAX);
}

/// Before a fork: let no more threads in, and wait until the last is out.
///
/// The caller must hold no lock of ours: a thread inside may need it to get out.
pub(in crate::python) fn before_fork(py: Python<'_>) {
    FORKS.fetch_add(1, SeqCst);
    BEGUN.set(BEGUN.get() + 1);
    wait_until_empty(py, LEAVES_WITHIN);
}

/// In the parent, after the fork.
pub(in crate::python) fn after_fork_in_parent() {
    if let Some(left) = BEGUN.get().checked_sub(1) {
        BEGUN.set(left);
        FORKS.fetch_sub(1, SeqCst);
    }
}

/// In the child, where those threads are not, nor any other that was about to fork.
pub(in crate::python) fn after_fork_in_child() {
    INSIDE.store(0, SeqCst);
    FORKS.store(0, SeqCst);
    BEGUN.set(0);
}
