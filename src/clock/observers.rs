//! What is told when a clock moves, behind a lock that is free in a forked child.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::fork::{Forks, Held, HeldLock};

/// Something that wants to know when a [`ManualClock`] has moved.
pub trait ClockObserver: Send + Sync {
    /// The clock has moved.
    fn moved(&self);
}

type List = Vec<Weak<dyn ClockObserver>>;

/// Locked for moments, and with no other lock.
#[derive(Default)]
pub(super) struct Observers(Mutex<List>);

impl Observers {
    pub(super) fn locked(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Forks for Observers {
    fn hold(self: Arc<Self>) -> Box<dyn Held> {
        HeldLock::of(self, |observers| &observers.0, |_, _| ())
    }
}
