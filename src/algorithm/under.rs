//! The algorithm of a key that has a quota of its own: another amount in the same window.

use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::{Calendar, Quota, Terms};

/// The limit of a quota that the algorithm of that name can hold, and that has its window.
pub(super) fn limit_of(
    quota: &Quota,
    name: &str,
    window: Ticks,
    calendar: Option<&Calendar>,
) -> Result<u32> {
    let its = quota.windowed(name)?;
    let limit = its.limit();
    if its.window() == window && its.calendar() == calendar {
        return Ok(limit);
    }
    let terms = match calendar.cloned() {
        Some(calendar) => Terms::Calendar { limit, calendar },
        None => Terms::Window { limit, window },
    };
    let right = Quota {
        terms,
        ..quota.clone()
    };
    Err(quota.unfit(&format!(
        "the quota of one key has its limiter's window: write '{right}'"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::{
        Algorithm, AnyAlgorithm, FixedWindow, Permits, SegmentedWindow, SlidingCounter, SlidingLog,
    };
    use crate::clock::SECOND;

    fn quota(text: &str) -> Quota {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
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

    #[test]
    fn what_is_not_the_same_window_is_refused_with_a_right_one() {
        let log = SlidingLog {
            limit: 5,
            window: 60 * SECOND,
        };
        let said = |text: &str| log.under(&quota(text)).unwrap_err().to_string();
        assert!(said("50/second").ends_with("write '50/minute'"));
        assert!(said("50 tokens/hour").ends_with("write '50 tokens/minute'"));
        assert!(said("50/second burst 9").contains("TokenBucket"));
        assert!(said("5 concurrent").contains("ConcurrencyLimiter"));
        assert!(said("unlimited").contains("'100/minute'"));
        assert!(said("5/day in UTC").contains("FixedWindow"));
        let day = quota("5/day in UTC").windowed("fixed_window");
        let Ok(AnyAlgorithm::FixedWindow(day)) = day else {
            panic!("a fixed window");
        };
        assert_eq!(day.under(&quota("9/day in UTC")).expect("fits").limit(), 9);
        let said = day.under(&quota("9/day")).unwrap_err().to_string();
        assert!(said.ends_with("write '9/day in UTC'"), "{said}");
        let said = day.under(&quota("9/day in Asia/Tokyo")).unwrap_err();
        assert!(said.to_string().ends_with("write '9/day in UTC'"));
        let bucket = quota("10/second burst 20").bucket().expect("fits");
        assert!(bucket.under(&quota("5 concurrent")).is_err());
    }
}
