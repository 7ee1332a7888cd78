//! The clock that limiters use unless a test gives them another.

use super::counter;
use super::monotonic;
use super::units::{NANOS, Ticks};
use super::wall;

/// The machine's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    unix_at_origin: Ticks,
}

impl SystemClock {
    pub(super) fn new() -> Self {
        counter::is_trusted(); // asked now, and not by the first check
        Self {
            unix_at_origin: monotonic::unix_at(0),
        }
    }

    #[inline]
    pub(super) fn now(self) -> Ticks {
        self.unix_at_origin + counter::nanos(monotonic::nanos, wall::look_if_due) / NANOS
    }
}
