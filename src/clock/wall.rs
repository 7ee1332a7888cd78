//! How far the wall clock is ahead of the monotonic clock, which never steps: one figure for the
//! whole process, so that all of its limiters agree where an aligned window ends.
//!
//! It is renewed when the two clocks have parted by more than a second. Below that it stays as it
//! is, or the end of a window would be told a little differently by each decision.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::monotonic;
use super::units::{SECOND, Ticks, unix_now};

/// Nanoseconds from one look at the wall clock to the next.
const PAUSE: u64 = 1_000_000;

/// A look that took longer says nothing: the thread has slept in it.
const LONGEST_LOOK: u64 = 100_000_000;

static OFFSET: AtomicI64 = AtomicI64::new(0);
static LOOK_AT: AtomicU64 = AtomicU64::new(0);

/// Ticks by which the wall clock is ahead.
#[inline]
pub(super) fn offset() -> i64 {
    OFFSET.load(Relaxed)
}

/// Compare the clocks, unless that was done a moment ago; `nanos` is what the monotonic one says.
#[inline]
pub(super) fn look_if_due(nanos: u64) {
    if nanos >= LOOK_AT.load(Relaxed) {
        look(nanos);
    }
}

#[cold]
fn look(nanos: u64) {
    LOOK_AT.store(nanos + PAUSE, Relaxed);
    let before = monotonic::nanos();
    let wall = unix_now();
    if monotonic::nanos() - before < LONGEST_LOOK {
        let steady = monotonic::unix_at(before);
        OFFSET.store(renewed(offset(), steady, wall), Relaxed);
    }
}

/// The offset to go on with, when the two clocks show these times.
pub(super) fn renewed(offset: i64, steady: Ticks, wall: Ticks) -> i64 {
    let parted = wall.cast_signed().saturating_sub_unsigned(steady);
    if parted.abs_diff(offset) > SECOND {
        parted
    } else {
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_more_than_a_second_renews_it() {
        let now = 1_795_000_000 * SECOND;
        assert_eq!(renewed(0, now, now + SECOND), 0);
        assert_eq!(renewed(0, now, now - SECOND), 0);
        assert_eq!(renewed(0, now, now + SECOND + 1), 1_000_001);
        assert_eq!(renewed(0, now, now - SECOND - 1), -1_000_001);
        assert_eq!(renewed(7_200_000_000, now, now), 0);
        assert_eq!(renewed(0, now, 0), -now.cast_signed());
    }

    #[test]
    fn the_wall_clock_of_this_machine_is_within_a_second() {
        let clock = crate::clock::Clock::system();
        let (before, now, after) = (unix_now(), clock.now(), unix_now());
        let shown = clock.unix(now);
        assert!(before <= shown + SECOND + 1_000 && shown <= after + SECOND + 1_000);
    }
}
