//! The machine's monotonic clock, counted from this process's first look at it.

use std::sync::LazyLock;

use super::units::{NANOS, Ticks, unix_now};
use reading::reading;

/// Where all readings of the monotonic clock count from, and the Unix time there.
struct Origin {
    reading: u64,
    unix: Ticks,
}

static ORIGIN: LazyLock<Origin> = LazyLock::new(|| Origin {
    reading: reading(),
    unix: unix_now(),
});

/// Nanoseconds since the origin, which fit until 584 years have passed.
pub(super) fn nanos() -> u64 {
    let origin = ORIGIN.reading;
    reading().saturating_sub(origin)
}

/// The Unix time `nanos` after the origin, had nobody set the wall clock since.
#[inline]
pub(super) fn unix_at(nanos: u64) -> Ticks {
    ORIGIN.unix + nanos / NANOS
}

/// Where the origin lies on the clock that all processes of the host read, in nanoseconds.
#[cfg(all(feature = "zone", target_os = "linux"))]
pub(super) fn origin() -> u64 {
    ORIGIN.reading
}

#[cfg(all(feature = "zone", target_os = "linux"))]
mod reading {
    use rustix::time::{ClockId, clock_gettime};

    /// Nanoseconds since the machine has started: the same in all of its processes.
    pub(super) fn reading() -> u64 {
        let time = clock_gettime(ClockId::Monotonic);
        time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
    }
}

#[cfg(not(all(feature = "zone", target_os = "linux")))]
mod reading {
    use std::sync::LazyLock;
    use std::time::Instant;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    /// Nanoseconds since the first call.
    pub(super) fn reading() -> u64 {
        START.elapsed().as_nanos() as u64
    }
}
