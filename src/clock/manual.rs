//! A clock that only moves when it is told to: for tests.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::observers::{ClockObserver, Observers};
use super::units::Ticks;
use crate::fork;

/// A clock that only moves when it is told to.
pub struct ManualClock {
    now: AtomicU64,
    /// What a wall clock beside it would be ahead: nothing, but in tests of a step.
    offset: AtomicI64,
    observers: Arc<Observers>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new(0)
    }
}

impl std::fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManualClock")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Ticks) -> Self {
        let observers = Arc::<Observers>::default();
        let weak = Arc::downgrade(&observers);
        fork::register(weak);
        Self {
            now: AtomicU64::new(start),
            offset: AtomicI64::new(0),
            observers,
        }
    }

    /// Where it stands.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Ticks {
        self.now.load(Ordering::Acquire)
    }

    /// What a wall clock beside it is ahead.
    #[inline]
    pub(super) fn offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Step the wall clock beside it.
    #[cfg(test)]
    pub(crate) fn step_wall_clock(&self, by: i64) {
        self.offset.fetch_add(by, Ordering::Relaxed);
    }

    /// Move forward and tell the observers.
    pub fn advance(&self, by: Ticks) {
        self.advance_within(by, Ticks::MAX);
    }

    /// The same, unless it would then stand beyond `last`: says whether it has moved.
    pub fn advance_within(&self, by: Ticks, last: Ticks) -> bool {
        if !self.skip_within(by, last) {
            return false;
        }
        let observers: Vec<_> = {
            let mut observers = self.observers.locked();
            observers.retain(|observer| observer.strong_count() > 0);
            observers.iter().filter_map(Weak::upgrade).collect()
        };
        for observer in observers {
            observer.moved();
        }
        true
    }

    /// The same without a word to the observers: for when nobody waits.
    pub fn skip_within(&self, by: Ticks, last: Ticks) -> bool {
        let moved = |now: Ticks| now.checked_add(by).filter(|&now| now <= last);
        let (set, read) = (Ordering::AcqRel, Ordering::Acquire);
        self.now.fetch_update(set, read, moved).is_ok()
    }

    /// Tell `observer` of every move from now on.
    pub fn watch(&self, observer: Weak<dyn ClockObserver>) {
        let mut observers = self.observers.locked();
        if observers.len() == observers.capacity() {
            observers.retain(|observer| observer.strong_count() > 0);
        }
        observers.push(observer);
    }
}
