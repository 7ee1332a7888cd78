//! Another amount of the same: the quota of one key among many.

use super::AnyAlgorithm;
use crate::error::Result;
use crate::quota::{Quota, Terms};

impl AnyAlgorithm {
    /// This algorithm by another quota of the same windows; a bucket takes any rate and burst, and
    /// is full when it was never seen.
    ///
    /// # Errors
    /// When more than the amount differs.
    pub fn under(&self, quota: &Quota) -> Result<Self> {
        let name = match self {
            Self::TokenBucket(_) => return Ok(Self::TokenBucket(quota.bucket()?)),
            Self::Permits(_) => return Err(quota.unfit("permits have one quota for every key")),
            Self::FixedWindow(_) => "fixed_window",
            Self::SegmentedWindow(_) => "segmented_window",
            Self::SlidingCounter(_) => "sliding_counter",
            Self::SlidingLog(_) => "sliding_log",
        };
        let own = self.terms_with(self.limit());
        let amount = match quota.terms {
            Terms::Bucket { amount, .. } => amount,
            _ => quota.limit().unwrap_or(self.limit()),
        };
        let right = self.terms_with(amount);
        if quota.terms == right {
            return quota.windowed(name);
        }
        let print = |terms| Quota {
            terms,
            unit: quota.unit.clone(),
        };
        Err(quota.unfit(&format!(
            "only the amount may differ from the limiter's own quota, '{}', as in '{}'",
            print(own),
            print(right)
        )))
    }

    /// Another limit in these windows.
    fn terms_with(&self, limit: u32) -> Terms {
        match self.calendar() {
            Some(calendar) => Terms::Calendar {
                limit,
                calendar: calendar.clone(),
            },
            None => Terms::Window {
                limit,
                window: self.window(),
            },
        }
    }
}

impl Quota {
    /// Whether it counts what a limiter counts.
    ///
    /// # Errors
    /// When its unit is another one.
    pub fn counts(&self, unit: &str) -> Result<()> {
        if *self.unit == *unit {
            return Ok(());
        }
        let right = Self {
            terms: self.terms.clone(),
            unit: unit.into(),
        };
        Err(self.unfit(&format!(
            "the limiter counts {unit}, not {}: give '{right}'",
            self.unit
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::REQUESTS;

    const WINDOWS: [&str; 4] = [
        "fixed_window",
        "segmented_window",
        "sliding_counter",
        "sliding_log",
    ];

    fn quota(text: &str) -> Quota {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn windows(name: &str) -> AnyAlgorithm {
        quota("100/minute").windowed(name).expect("fits")
    }

    #[test]
    fn another_amount_of_the_same_window_is_taken() {
        for name in WINDOWS {
            let (own, other) = (windows(name), quota("7/60 s"));
            let under = own.under(&other).expect("the same window");
            assert_eq!((under.limit(), under.window()), (7, own.window()));
            assert_eq!(std::mem::discriminant(&under), std::mem::discriminant(&own));
        }
        let days = quota("9/day in Europe/Berlin")
            .windowed("fixed_window")
            .expect("fits");
        let under = days.under(&quota("3/day in Europe/Berlin")).expect("fits");
        assert_eq!((under.limit(), under.calendar()), (3, days.calendar()));
    }

    #[test]
    fn a_bucket_takes_any_rate_and_burst() {
        let own = AnyAlgorithm::TokenBucket(quota("10/second burst 20").bucket().expect("fits"));
        for (text, limit) in [("50/minute", 50), ("1/hour burst 3", 3), ("9/2 s", 9)] {
            assert_eq!(own.under(&quota(text)).expect(text).limit(), limit);
        }
        for text in ["5 concurrent", "unlimited", "5/day in UTC"] {
            let refusal = own.under(&quota(text)).unwrap_err().to_string();
            assert!(
                refusal.contains("such as '10/second burst 20'"),
                "{refusal}"
            );
        }
    }

    #[test]
    fn what_differs_in_more_is_refused_with_a_right_one() {
        for name in WINDOWS {
            for (text, right) in [
                ("5/second", "'5/minute'"),
                ("5/minute burst 9", "'5/minute'"),
                ("5/day in UTC", "'5/minute'"),
                ("5 concurrent", "'5/minute'"),
                ("unlimited", "'100/minute'"),
            ] {
                let refusal = windows(name).under(&quota(text)).unwrap_err().to_string();
                assert!(
                    refusal.starts_with(&format!("quota '{text}': ")),
                    "{refusal}"
                );
                assert!(refusal.contains("own quota, '100/minute'"), "{refusal}");
                assert!(refusal.ends_with(right), "{refusal}");
            }
        }
        let days = quota("9/day in UTC")
            .windowed("fixed_window")
            .expect("fits");
        for text in ["5/day", "5/day in Europe/Berlin", "5/week in UTC"] {
            let refusal = days.under(&quota(text)).unwrap_err().to_string();
            assert!(refusal.ends_with("as in '5/day in UTC'"), "{refusal}");
        }
        let log = windows("sliding_log").under(&quota("16777217/minute"));
        assert!(log.unwrap_err().to_string().contains("16,777,216"));
        let permits = AnyAlgorithm::Permits(quota("5 concurrent").permits().expect("fits"));
        assert!(permits.under(&quota("6 concurrent")).is_err());
    }

    #[test]
    fn a_unit_has_to_be_the_limiters() {
        assert_eq!(quota("5/minute").counts(REQUESTS), Ok(()));
        assert_eq!(quota("5 tokens/minute").counts("tokens"), Ok(()));
        let refusal = quota("5 tokens/minute").counts(REQUESTS).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "quota '5 tokens/minute': the limiter counts requests, not tokens: give '5/minute'"
        );
    }
}
