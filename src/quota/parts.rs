//! The parts of a quota, checked once so that no algorithm has to.

use crate::clock::{LONGEST_SPAN, Ticks};
use crate::error::{Error, Result};

/// A limit of 1 to `most`.
///
/// # Errors
/// Names `argument` when `value` is outside that range.
pub fn limit(argument: &'static str, value: u64, most: u32) -> Result<u32> {
    u32::try_from(value)
        .ok()
        .filter(|limit| (1..=most).contains(limit))
        .ok_or_else(|| {
            Error::out_of_range(
                argument,
                &value,
                format!("an int from 1 to {}", grouped(most)),
            )
        })
}

/// A window in ticks, rounded to the nearest.
///
/// # Errors
/// If `seconds` is not between a microsecond and a thousand million seconds.
#[expect(
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "checked to lie within 1 and LONGEST_SPAN"
)]
pub fn window(seconds: f64) -> Result<Ticks> {
    let ticks = (seconds * 1e6).round();
    if seconds.is_finite() && ticks >= 1.0 && ticks <= LONGEST_SPAN as f64 {
        return Ok(ticks as Ticks);
    }
    Err(Error::out_of_range(
        "window_seconds",
        &seconds,
        "a number of seconds from 0.000001 to 1,000,000,000",
    ))
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_rounded_to_the_nearest_tick() {
        assert_eq!(window(60.0), Ok(60_000_000));
        assert_eq!(window(0.1), Ok(100_000));
        assert_eq!(window(1.0 / 3.0), Ok(333_333));
        assert_eq!(window(1e9), Ok(LONGEST_SPAN));
    }

    #[test]
    fn impossible_windows_are_refused() {
        for seconds in [
            0.0,
            -1.0,
            1e-7,
            1.1e9,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            let error = window(seconds).unwrap_err().to_string();
            assert!(error.contains("window_seconds") && error.contains(&seconds.to_string()));
        }
    }

    #[test]
    fn limits_name_their_range() {
        assert_eq!(limit("limit", 1, 100), Ok(1));
        assert_eq!(
            limit("limit", 0, 16_777_216).unwrap_err().to_string(),
            "limit must be an int from 1 to 16,777,216, got 0"
        );
        assert!(limit("limit", u64::MAX, u32::MAX).is_err());
    }
}
