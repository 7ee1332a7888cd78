//! The processor's cycle counter: a cheap clock for the millisecond after a reading of the real one.
//!
//! A reading of the monotonic clock is the dearest part of a check. So each thread keeps an
//! [`Anchor`]: one such reading, and where the counter stood right after it. Until the counter has
//! gone 2^21 further the time is counted from there, and then the clock is read anew: that is as
//! far as a counter that is wrong can lead. Where the kernel does not take its own time from the
//! counter, it is not used.

mod platform;
mod rate;

use std::cell::Cell;

use platform::count;
use rate::{FRACTION, Reading};

/// How many counts an anchor holds for: 0.4 to 2 ms.
const SPAN: u64 = 1 << 21;

/// Two looks at the counter count as one moment if it went no further between: 1 to 4 µs.
const ONE_MOMENT: u64 = 1 << 12;

thread_local! {
    static ANCHOR: Cell<Anchor> = const { Cell::new(Anchor::NONE) };
}

/// Whether the counter can be used here. The first answer takes a look at a file.
pub(super) fn is_trusted() -> bool {
    rate::is_trusted()
}

/// What `read` tells now, in nanoseconds, or hardly less: counted, if it was read not long ago.
/// Else `has_read` is called with it.
///
/// All calls read the same clock.
#[inline]
pub(super) fn nanos(read: impl Fn() -> u64, has_read: impl Fn(u64)) -> u64 {
    let anchor = ANCHOR.get();
    // The instruction is left alone where it is of no use.
    if anchor.rate > 0
        && let Some(nanos) = anchor.at(count())
    {
        return nanos;
    }
    let nanos = renewed(read);
    has_read(nanos);
    nanos
}

#[inline(never)]
fn renewed(read: impl Fn() -> u64) -> u64 {
    if !rate::is_trusted() {
        return read();
    }
    let before = count();
    let reading = Reading {
        nanos: read(),
        count: count(),
    };
    // Else the thread may have slept in between.
    let is_one_moment = reading.count.wrapping_sub(before) < ONE_MOMENT;
    let rate = is_one_moment.then(|| rate::known_at(reading)).flatten();
    ANCHOR.set(rate.map_or(Anchor::NONE, |rate| Anchor { reading, rate }));
    reading.nanos
}

/// A reading to count from, unless the rate is 0.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    reading: Reading,
    rate: u64,
}

impl Anchor {
    const NONE: Self = Self {
        reading: Reading { nanos: 0, count: 0 },
        rate: 0,
    };

    /// The time when the counter stands at `count`. `None`: that is too far away.
    #[inline]
    fn at(&self, count: u64) -> Option<u64> {
        let counts = count.wrapping_sub(self.reading.count);
        (counts < SPAN).then(|| self.reading.nanos + ((counts * self.rate) >> FRACTION))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::monotonic;

    fn anchor(count: u64) -> Anchor {
        Anchor {
            reading: Reading {
                nanos: 1_000,
                count,
            },
            rate: 1 << (FRACTION - 2), // 4 GHz
        }
    }

    proptest! {
        #[test]
        fn holds_for_a_while_and_never_for_the_past(count: u64, later in 0..3 * SPAN, ago in 1..SPAN) {
            let nanos = anchor(count).at(count.wrapping_add(later));
            prop_assert_eq!(nanos, (later < SPAN).then_some(1_000 + later / 4));
            prop_assert_eq!(anchor(count).at(count.wrapping_sub(ago)), None);
        }
    }

    #[test]
    fn counted_time_is_not_ahead_of_the_clock_and_hardly_behind() {
        let mut counted = 0;
        let end = monotonic::nanos() + 200_000_000;
        while monotonic::nanos() < end {
            let anchored_at = ANCHOR.get().reading.count;
            let before = monotonic::nanos();
            let now = nanos(monotonic::nanos, |_| {});
            let after = monotonic::nanos();
            // Behind by the moment that an anchor takes, and either way by an inexact rate.
            assert!(before <= now + 5_000, "{before} {now} {after}");
            assert!(now <= after + 200, "{before} {now} {after}");
            let anchor = ANCHOR.get();
            counted += u64::from(anchor.rate > 0 && anchor.reading.count == anchored_at);
        }
        assert_eq!(counted > 0, is_trusted());
    }
}
