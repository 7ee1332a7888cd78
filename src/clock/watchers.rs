//! Who wants to know when a clock moves, behind a lock that is free in a forked child.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Watch;
use crate::fork::{Forks, Held, HeldLock};

type List = Vec<Weak<dyn Watch>>;

/// Locked for moments, and with no other lock.
#[derive(Default)]
pub(super) struct Watchers(Mutex<List>);

impl Watchers {
    pub(super) fn locked(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Forks for Watchers {
    fn hold(self: Arc<Self>) -> Box<dyn Held> {
        HeldLock::of(self, |watchers| &watchers.0, |_, _| ())
    }
}
