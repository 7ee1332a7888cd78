//! An algorithm under another quota of its window.

use super::{Algorithm, AnyAlgorithm};
use crate::error::Result;
use crate::quota::Quota;

impl AnyAlgorithm {
    /// [`Algorithm::under`].
    ///
    /// # Errors
    /// When more than the amount differs.
    pub fn under(&self, quota: &Quota) -> Result<Self> {
        Ok(match self {
            Self::FixedWindow(this) => Self::FixedWindow(this.under(quota)?),
            Self::SegmentedWindow(this) => Self::SegmentedWindow(this.under(quota)?),
            Self::SlidingCounter(this) => Self::SlidingCounter(this.under(quota)?),
            Self::SlidingLog(this) => Self::SlidingLog(this.under(quota)?),
            Self::TokenBucket(this) => Self::TokenBucket(this.under(quota)?),
            Self::Permits(this) => Self::Permits(this.under(quota)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::{FixedWindow, Permits, SegmentedWindow, SlidingCounter, SlidingLog};
    use crate::clock::SECOND;
    use crate::quota::Quota;
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

    #[test]
    fn another_amount_in_the_same_window() {
        let (limit, window) = (5, 60 * SECOND);
        let more = quota("50/minute");
        let log = SlidingLog { limit, window }.under(&more).expect("fits");
        assert_eq!((log.limit(), log.window()), (50, window));
        let parts = SegmentedWindow::new(limit, window)
            .under(&more)
            .expect("fits");
        assert_eq!((parts.limit(), parts.window()), (50, window));
        let counter = SlidingCounter { limit, window };
        assert_eq!(counter.under(&more).expect("fits").limit(), 50);
        let fixed = FixedWindow::new(limit, window).aligned(7);
        let more = fixed.under(&more).expect("fits");
        assert_eq!(more.limit(), 50);
        // Its windows lie where the others do.
        let end = |of: &FixedWindow| {
            let mut state = of.fresh();
            of.spend(&mut state, 0, 1);
            of.reset_after(&state, 0)
        };
        assert_eq!(end(&more), end(&fixed));
        let permits = Permits { limit, lease: 9 }
            .under(&quota("7 concurrent"))
            .expect("fits");
        assert_eq!((permits.limit, permits.lease), (7, 9));
        let bucket = quota("10/second burst 20").bucket().expect("fits");
        let other = bucket.under(&quota("600/hour burst 3")).expect("any rate");
        assert_eq!((other.limit(), other.window()), (3, 18 * SECOND));
    }
}
