//! The processor's cycle counter: a cheap clock for the millisecond after a reading of the real one.
//!
//! A reading of the monotonic clock is the dearest part of a check. So a shard keeps an
//! [`Anchor`]: one such reading, and where the counter stood right after it. Until the counter has
//! gone 2^21 further the time is counted from there. However wrong the counter might be, that is
//! as far as it can lead; and where the kernel itself does not trust it, it is not used at all.

use std::ops::{Range, RangeInclusive};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

/// An anchor holds for so many counts: 0.4 to 2 ms.
const SPAN: u64 = 1 << 21;

/// A pair of readings counts as one moment if the counter went no further between: 1 to 4 µs.
const ONE_MOMENT: u64 = 1 << 12;

/// The rate is measured over so many counts: 13 to 67 ms at least, for one part in 8,000, and a
/// minute or two at most, since the machine may have been asleep.
const MEASURED_OVER: Range<u64> = 1 << 26..1 << 38;

/// Rates are in nanoseconds a count, times 2^24.
const FRACTION: u32 = 24;

/// From 10 GHz down to 100 MHz.
const RATES: RangeInclusive<u64> = (1 << FRACTION) / 10..=10 << FRACTION;

/// Where the counter stands. Taken before what takes a while itself, it costs next to nothing: the
/// processor does both at once.
#[derive(Debug, Clone, Copy)]
pub struct Glance(u64);

impl Glance {
    /// A glance at the counter; nothing where there is none.
    #[inline]
    #[must_use]
    pub fn now() -> Self {
        Self(platform::count())
    }

    /// Counts since an earlier glance.
    #[inline]
    fn since(self, earlier: Self) -> u64 {
        self.0.wrapping_sub(earlier.0)
    }
}

/// Where a clock stood at one glance. By default it holds for no other.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    taken: Glance,
    holds_for: u64,
    nanos: u64,
    rate: u64,
}

impl Default for Anchor {
    fn default() -> Self {
        Self {
            taken: Glance(0),
            holds_for: 0,
            nanos: 0,
            rate: 0,
        }
    }
}

impl Anchor {
    /// The clock's time at `glance` in nanoseconds: counted from here, or else its time now, as
    /// `read` tells it.
    #[inline]
    pub(super) fn nanos(&mut self, glance: Glance, read: impl Fn() -> u64) -> u64 {
        match self.counted(glance) {
            Some(nanos) => nanos,
            None => self.renew(read),
        }
    }

    /// `None`: this was taken too long before.
    #[inline]
    fn counted(&self, glance: Glance) -> Option<u64> {
        let counts = glance.since(self.taken);
        (counts < self.holds_for).then(|| self.nanos + ((counts * self.rate) >> FRACTION))
    }

    #[cold]
    fn renew(&mut self, read: impl Fn() -> u64) -> u64 {
        *self = Self::default();
        let Some(rate) = rate() else {
            return read();
        };
        let moment = Moment::of(read);
        if moment.is_one() {
            // After the reading, so that what is counted from here is never ahead of the clock.
            *self = Self {
                taken: moment.after,
                holds_for: SPAN,
                nanos: moment.read,
                rate,
            };
        }
        moment.read
    }
}

/// A reading between two of the counter.
#[derive(Clone, Copy)]
struct Moment<T> {
    before: Glance,
    read: T,
    after: Glance,
}

impl<T> Moment<T> {
    fn of(read: impl Fn() -> T) -> Self {
        let before = Glance::now();
        let read = read();
        Self {
            before,
            read,
            after: Glance::now(),
        }
    }

    /// Whether nothing came between: the thread may have slept.
    fn is_one(&self) -> bool {
        self.after.since(self.before) < ONE_MOMENT
    }
}

/// How fast the counter runs, once that is known. Measured again and again, since a virtual
/// machine may move.
fn rate() -> Option<u64> {
    static RATE: AtomicU64 = AtomicU64::new(0);
    static SINCE: Mutex<Option<Moment<Instant>>> = Mutex::new(None);

    if !is_trusted() {
        return None;
    }
    if let Ok(mut since) = SINCE.try_lock() {
        let now = Moment::of(Instant::now);
        let start = since.get_or_insert(now);
        let counts = now.after.since(start.after);
        if counts >= MEASURED_OVER.start && now.is_one() {
            if counts < MEASURED_OVER.end {
                let nanos = now.read.duration_since(start.read).as_nanos();
                RATE.store(measured(nanos, counts), Relaxed);
            }
            *start = now;
        }
    }
    Some(RATE.load(Relaxed)).filter(|&rate| rate > 0)
}

/// The rate, or 0 if it is none that a processor has.
fn measured(nanos: u128, counts: u64) -> u64 {
    let rate = u64::try_from((nanos << FRACTION) / u128::from(counts)).unwrap_or(u64::MAX);
    if RATES.contains(&rate) { rate } else { 0 }
}

/// Whether the counter is steady, and the kernel takes its own time from it.
fn is_trusted() -> bool {
    static TRUSTED: OnceLock<bool> = OnceLock::new();
    *TRUSTED.get_or_init(|| platform::is_steady() && platform::kernel_uses_it())
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod platform {
    use std::arch::x86_64::{__cpuid, _rdtsc};

    #[inline]
    pub(super) fn count() -> u64 {
        // SAFETY: every processor of this architecture has the instruction.
        unsafe { _rdtsc() }
    }

    /// Whether it runs at one rate, whatever the processor does to save power.
    pub(super) fn is_steady() -> bool {
        const POWER: u32 = 0x8000_0007;
        #[allow(unused_unsafe, reason = "safe in newer toolchains")]
        // SAFETY: as above.
        let (last, power) = unsafe { (__cpuid(0x8000_0000).eax, __cpuid(POWER).edx) };
        last >= POWER && power & (1 << 8) != 0
    }

    /// Linux compares it with another clock and between processors, and drops it if it is wrong.
    pub(super) fn kernel_uses_it() -> bool {
        let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        std::fs::read_to_string(path).is_ok_and(|source| source.trim() == "tsc")
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod platform {
    pub(super) fn count() -> u64 {
        0
    }

    pub(super) fn is_steady() -> bool {
        false
    }

    pub(super) fn kernel_uses_it() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::{Clock, Ticks};

    /// The rate of a counter at 4 GHz.
    const QUARTER: u64 = 1 << (FRACTION - 2);

    fn anchor(count: u64) -> Anchor {
        Anchor {
            taken: Glance(count),
            holds_for: SPAN,
            nanos: 1_000,
            rate: QUARTER,
        }
    }

    proptest! {
        #[test]
        fn holds_for_a_while_and_never_for_the_past(taken: u64, later in 0..3 * SPAN, ago in 1..SPAN) {
            let counted = anchor(taken).counted(Glance(taken.wrapping_add(later)));
            prop_assert_eq!(counted, (later < SPAN).then_some(1_000 + later / 4));
            prop_assert_eq!(anchor(taken).counted(Glance(taken.wrapping_sub(ago))), None);
        }
    }

    #[test]
    fn by_default_it_holds_for_nothing() {
        for count in [0, 1, u64::MAX] {
            assert_eq!(Anchor::default().counted(Glance(count)), None);
        }
    }

    #[test]
    fn a_rate_that_no_processor_has_is_none() {
        assert_eq!(measured(1_000_000, 4_000_000), QUARTER);
        assert_eq!(measured(0, 4_000_000), 0);
        assert_eq!(measured(1_000_000, 99_000), 0);
        assert_eq!(measured(1_000_000, 11_000_000), 0);
        assert_eq!(measured(u128::from(u64::MAX) << 8, 1), 0);
    }

    #[test]
    fn counted_time_is_never_ahead_of_the_clock_and_hardly_behind() {
        let clock = Clock::system();
        let mut anchor = Anchor::default();
        let mut counted = 0;
        let end = clock.now() + 200_000;
        while clock.now() < end {
            let anchored_at = anchor.taken.0;
            let before: Ticks = clock.now();
            let at = clock.at(Glance::now(), &mut anchor);
            let after = clock.now();
            // Behind by the moment that an anchor takes, and either way by an inexact rate.
            assert!(before <= at + 5 && at <= after + 1, "{before} {at} {after}");
            counted += u64::from(anchor.holds_for > 0 && anchor.taken.0 == anchored_at);
        }
        assert_eq!(counted > 0, is_trusted());
    }
}
