//! Time as whole microseconds since Unix 0, from a clock that never goes back.

mod counter;
mod wall;
mod watchers;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::fork;
use watchers::Watchers;

/// Microseconds: a point in Unix time, or a span.
pub type Ticks = u64;

/// One second.
pub const SECOND: Ticks = 1_000_000;

/// Nanoseconds a tick.
const NANOS: u64 = 1_000;

/// The longest span that the arithmetic is built for, some 31.7 years.
pub const LONGEST_SPAN: Ticks = 1_000_000_000 * SECOND;

/// Ticks as seconds.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "Unix microseconds fit 53 bits until the year 2255"
)]
pub fn seconds(ticks: Ticks) -> f64 {
    ticks as f64 / 1e6
}

/// The wall clock, which may jump: for what people read, never for a decision.
#[must_use]
pub fn unix_now() -> Ticks {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    let unix = unix.unwrap_or_default();
    unix.as_secs() * SECOND + Ticks::from(unix.subsec_micros())
}

/// Where a limiter reads the time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The monotonic clock, which starts at the Unix time of this process's first look at it.
    System(SystemClock),
    /// A clock that a test moves.
    Manual(Arc<ManualClock>),
}

impl Clock {
    /// The machine's clock: one for the whole process.
    #[must_use]
    pub fn system() -> Self {
        Self::System(SystemClock::new())
    }

    /// The time now. On the machine's clock it may be a few ticks behind, and is cheap when it was
    /// read by this thread not a millisecond ago.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Ticks {
        match self {
            Self::System(clock) => clock.now(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// What to add to a time of this clock for the time on the wall clock: right within a second,
    /// and the same until the two have parted by more than that.
    #[inline]
    #[must_use]
    pub fn offset(&self) -> i64 {
        match self {
            Self::System(_) => wall::offset(),
            Self::Manual(clock) => clock.offset.load(Ordering::Relaxed),
        }
    }

    /// A time of this clock as Unix time, by the wall clock of now.
    #[inline]
    #[must_use]
    pub fn unix(&self, at: Ticks) -> Ticks {
        at.saturating_add_signed(self.offset())
    }
}

/// Where all readings of the monotonic clock count from, and the Unix time there.
struct Origin {
    instant: Instant,
    unix: Ticks,
}

static ORIGIN: LazyLock<Origin> = LazyLock::new(|| Origin {
    instant: Instant::now(),
    unix: unix_now(),
});

/// The machine's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    unix_at_origin: Ticks,
}

impl SystemClock {
    fn new() -> Self {
        counter::is_trusted(); // asked now, and not by the first check
        Self {
            unix_at_origin: ORIGIN.unix,
        }
    }

    #[inline]
    fn now(self) -> Ticks {
        self.unix_at_origin + counter::nanos(Self::read, wall::look_if_due) / NANOS
    }

    /// Nanoseconds since the origin, which fit until 584 years have passed.
    fn read() -> u64 {
        ORIGIN.instant.elapsed().as_nanos() as u64
    }
}

/// Something that wants to know when a [`ManualClock`] has moved.
pub trait Watch: Send + Sync {
    /// The clock has moved.
    fn moved(&self);
}

/// A clock that only moves when it is told to.
pub struct ManualClock {
    now: AtomicU64,
    /// What a wall clock beside it would be ahead: nothing, but in tests of a step.
    offset: AtomicI64,
    watchers: Arc<Watchers>,
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
        let watchers = Arc::<Watchers>::default();
        let weak = Arc::downgrade(&watchers);
        fork::register(weak);
        Self {
            now: AtomicU64::new(start),
            offset: AtomicI64::new(0),
            watchers,
        }
    }

    /// Where it stands.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Ticks {
        self.now.load(Ordering::Acquire)
    }

    /// Step the wall clock beside it.
    #[cfg(test)]
    pub(crate) fn step_wall_clock(&self, by: i64) {
        self.offset.fetch_add(by, Ordering::Relaxed);
    }

    /// Move forward and tell the watchers.
    pub fn advance(&self, by: Ticks) {
        self.advance_within(by, Ticks::MAX);
    }

    /// The same, unless it would then stand beyond `last`: says whether it has moved.
    pub fn advance_within(&self, by: Ticks, last: Ticks) -> bool {
        let moved = |now: Ticks| now.checked_add(by).filter(|&now| now <= last);
        let (set, read) = (Ordering::AcqRel, Ordering::Acquire);
        if self.now.fetch_update(set, read, moved).is_err() {
            return false;
        }
        let watchers: Vec<_> = {
            let mut watchers = self.watchers.locked();
            watchers.retain(|watcher| watcher.strong_count() > 0);
            watchers.iter().filter_map(Weak::upgrade).collect()
        };
        for watcher in watchers {
            watcher.moved();
        }
        true
    }

    /// Tell `watcher` of every move from now on.
    pub fn watch(&self, watcher: Weak<dyn Watch>) {
        let mut watchers = self.watchers.locked();
        if watchers.len() == watchers.capacity() {
            watchers.retain(|watcher| watcher.strong_count() > 0);
        }
        watchers.push(watcher);
    }
}
