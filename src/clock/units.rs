//! Time as whole microseconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds: a point in Unix time, or a span.
pub type Ticks = u64;

/// One second.
pub const SECOND: Ticks = 1_000_000;

/// Nanoseconds a tick.
pub(super) const NANOS: u64 = 1_000;

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
