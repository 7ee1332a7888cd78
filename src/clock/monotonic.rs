//! The machine's monotonic clock, counted from this process's first look at it.

use std::sync::LazyLock;
use std::time::Instant;

use super::units::{NANOS, Ticks, unix_now};

/// Where all readings of the monotonic clock count from, and the Unix time there.
struct Origin {
    instant: Instant,
    unix: Ticks,
}

static ORIGIN: LazyLock<Origin> = LazyLock::new(|| Origin {
    instant: Instant::now(),
    unix: unix_now(),
});

/// Nanoseconds since the origin, which fit until 584 years have passed.
pub(super) fn nanos() -> u64 {
    ORIGIN.instant.elapsed().as_nanos() as u64
}

/// The Unix time `nanos` after the origin, had nobody set the wall clock since.
#[inline]
pub(super) fn unix_at(nanos: u64) -> Ticks {
    ORIGIN.unix + nanos / NANOS
}
