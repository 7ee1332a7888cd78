//! Time as whole microseconds since Unix 0, from a clock that never goes back.

mod counter;
#[cfg(all(feature = "zone", target_os = "linux"))]
mod host;
mod manual;
mod monotonic;
mod observers;
mod system;
mod units;
mod wall;

use std::sync::Arc;

#[cfg(all(feature = "zone", target_os = "linux"))]
pub use host::HostClock;
pub use manual::ManualClock;
pub use observers::ClockObserver;
pub use system::SystemClock;
pub use units::{LONGEST_SPAN, SECOND, Ticks, seconds, unix_now};

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
            Self::Manual(clock) => clock.offset(),
        }
    }

    /// A time of this clock as Unix time, by the wall clock of now.
    #[inline]
    #[must_use]
    pub fn unix(&self, at: Ticks) -> Ticks {
        at.saturating_add_signed(self.offset())
    }
}
