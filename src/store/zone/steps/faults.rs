//! What happens at the steps of a test build: by environment variables for a process, or by a call
//! for a thread.
//!
//! `SLUICEGATE_ZONE_FAULTS`: `die:300` kills the process at one step in 300, `sleep:300` lets the
//! thread sleep for 8 ms instead. `SLUICEGATE_ZONE_MUTANT`: the name of a [`Mutant`].

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use super::{Mutant, Step};

/// What a thread does at a step.
pub(crate) type Hook = Box<dyn Fn(Step)>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = RefCell::new(hook_by_environment());
    static MUTANT: Cell<Option<Mutant>> = Cell::new(mutant_by_environment());
}

/// Pass a step.
pub(crate) fn at(step: Step) {
    HOOK.with_borrow(|hook| {
        if let Some(hook) = hook {
            hook(step);
        }
    });
}

/// Whether this thread has that fault.
pub(crate) fn is_mutant(mutant: Mutant) -> bool {
    MUTANT.get() == Some(mutant)
}

/// Have `hook` called at each step of this thread, which has the fault `mutant`.
#[cfg(test)]
pub(crate) fn set(hook: Option<Hook>, mutant: Option<Mutant>) {
    HOOK.set(hook);
    MUTANT.set(mutant);
}

fn mutant_by_environment() -> Option<Mutant> {
    let name = std::env::var("SLUICEGATE_ZONE_MUTANT").ok()?;
    let known = [Mutant::NoSettle, Mutant::NoGiveBack];
    let mutant = known.into_iter().find(|known| format!("{known:?}") == name);
    assert!(mutant.is_some(), "SLUICEGATE_ZONE_MUTANT={name}");
    mutant
}

fn hook_by_environment() -> Option<Hook> {
    let text = std::env::var("SLUICEGATE_ZONE_FAULTS").ok()?;
    let parts = text.split_once(':');
    let parts = parts.and_then(|(what, odds)| Some((what, odds.parse::<u64>().ok()?)));
    let (act, odds): (fn(), u64) = match parts {
        Some(("die", odds)) => (die, odds),
        Some(("sleep", odds)) => (|| std::thread::sleep(Duration::from_millis(8)), odds),
        _ => panic!("SLUICEGATE_ZONE_FAULTS must be like die:300 or sleep:300, got {text}"),
    };
    let random = Cell::new(RandomState::new().build_hasher().finish() | 1);
    Some(Box::new(move |_| {
        // Xorshift, Marsaglia 2003.
        let mut bits = random.get();
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        random.set(bits);
        if bits.is_multiple_of(odds) {
            act();
        }
    }))
}

/// Like a SIGKILL from outside: nothing is unwound, flushed or told.
fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort();
}
