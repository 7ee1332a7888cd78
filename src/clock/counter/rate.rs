//! How fast the counter runs, and whether it can be trusted.

use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use super::platform;

/// Rates are in nanoseconds a count, times 2^24.
pub(super) const FRACTION: u32 = 24;

/// What the clock said, and where the counter stood right after: what is counted from there is
/// not ahead of the clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) nanos: u64,
    pub(super) count: u64,
}

/// Counts until the first measurement ends, 13 to 67 ms: long enough for one part in 10,000.
const FIRST: u64 = 1 << 26;

/// Counts between two measurements, 3 to 17 s: a virtual machine may have moved.
const AGAIN: u64 = 1 << 34;

/// A measurement over more counts than this, a minute or more, is none: the machine may have slept.
const TOO_LONG: u64 = 1 << 38;

/// From 10 GHz down to 500 MHz.
const RATES: RangeInclusive<u64> = (1 << FRACTION) / 10..=2 << FRACTION;

static RATE: AtomicU64 = AtomicU64::new(0);
/// The counter at the last measurement.
static MEASURED_AT: AtomicU64 = AtomicU64::new(0);
/// Where the measurement began that is under way.
static START: Mutex<Option<Reading>> = Mutex::new(None);

/// The rate, if it is known; `reading` helps to measure it.
#[inline]
pub(super) fn known_at(reading: Reading) -> Option<u64> {
    let rate = RATE.load(Relaxed);
    let since = reading.count.wrapping_sub(MEASURED_AT.load(Relaxed));
    if since >= if rate > 0 { AGAIN } else { FIRST } {
        measure(reading);
        return known(RATE.load(Relaxed));
    }
    known(rate)
}

fn known(rate: u64) -> Option<u64> {
    (rate > 0).then_some(rate)
}

#[cold]
fn measure(reading: Reading) {
    // Whoever finds it locked leaves it to the other. A child that was forked meanwhile finds it
    // so for ever, and goes on with what it knows.
    let Ok(mut start) = START.try_lock() else {
        return;
    };
    examine();
    if let Some(start) = *start {
        let counts = reading.count.wrapping_sub(start.count);
        if counts < TOO_LONG {
            let nanos = reading.nanos.saturating_sub(start.nanos);
            RATE.store(rate_of(nanos, counts), Relaxed);
        }
    }
    *start = Some(reading);
    MEASURED_AT.store(reading.count, Relaxed);
}

/// The rate, or 0 if it is none that a processor has.
fn rate_of(nanos: u64, counts: u64) -> u64 {
    let rate = (u128::from(nanos) << FRACTION) / u128::from(counts.max(1));
    let rate = u64::try_from(rate).unwrap_or(u64::MAX);
    if RATES.contains(&rate) { rate } else { 0 }
}

const UNKNOWN: u8 = 0;
const TRUSTED: u8 = 1;
const DISTRUSTED: u8 = 2;
static TRUST: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether the counter runs at one rate and the kernel takes its own time from it, as far as is
/// known since the last measurement.
#[inline]
pub(super) fn is_trusted() -> bool {
    match TRUST.load(Relaxed) {
        UNKNOWN => examine(),
        trust => trust == TRUSTED,
    }
}

/// The kernel compares the counter with another clock, and may find out one day that it is wrong.
#[cold]
fn examine() -> bool {
    let trusted = platform::is_steady() && platform::kernel_uses_it();
    TRUST.store(if trusted { TRUSTED } else { DISTRUSTED }, Relaxed);
    trusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_no_processor_has_is_none() {
        assert_eq!(rate_of(1_000_000, 4_000_000), 1 << (FRACTION - 2));
        assert_eq!(rate_of(0, 4_000_000), 0);
        assert_eq!(rate_of(1_000_000, 499_000), 0);
        assert_eq!(rate_of(1_000_000, 11_000_000), 0);
        assert_eq!(rate_of(u64::MAX, 1), 0);
    }
}
