//! The clock that all processes of a host share: the monotonic one, counted from the start of the
//! machine.

use super::counter;
use super::monotonic;
use super::units::{NANOS, SECOND, Ticks, unix_now};
use super::wall;

/// Tells the same time in all processes of a host, to a microsecond or a few.
#[derive(Debug, Clone, Copy)]
pub struct HostClock {
    origin: u64,
}

impl Default for HostClock {
    fn default() -> Self {
        Self::new()
    }
}

impl HostClock {
    /// The clock of this host, or of the time namespace in which this process is.
    #[must_use]
    pub fn new() -> Self {
        counter::is_trusted(); // asked now, and not by the first check
        Self {
            origin: monotonic::origin(),
        }
    }

    /// The time since the machine has started, as cheap as [`Clock::now`](super::Clock::now).
    #[inline]
    #[must_use]
    pub fn now(self) -> Ticks {
        (self.origin + counter::nanos(monotonic::nanos, wall::look_if_due)) / NANOS
    }

    /// How far the wall clock is ahead of this one, unless it is within a second of `known`, or the
    /// look took too long to tell.
    #[must_use]
    pub fn unix_offset(self, known: i64) -> Option<i64> {
        let before = (self.origin + monotonic::nanos()) / NANOS;
        let wall = unix_now();
        let after = (self.origin + monotonic::nanos()) / NANOS;
        let offset = wall::renewed(known, before, wall);
        (offset != known && after - before < SECOND / 10).then_some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_start_of_the_machine_and_not_of_the_process() {
        let reading = || {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            time.tv_sec.cast_unsigned() * SECOND + time.tv_nsec.cast_unsigned() / 1_000
        };
        let (before, now, after) = (reading(), HostClock::new().now(), reading());
        assert!(
            before <= now + 5 && now <= after + 1,
            "{before} {now} {after}"
        );
    }

    #[test]
    fn only_more_than_a_second_renews_the_offset() {
        let clock = HostClock::new();
        let offset = clock.unix_offset(0).expect("decades from 0");
        assert_eq!(clock.unix_offset(offset + SECOND.cast_signed() / 2), None);
        let far = clock.unix_offset(offset + 2 * SECOND.cast_signed());
        assert!(far.expect("too far").abs_diff(offset) < SECOND / 10);
    }
}
