//! The algorithm that a quota is, of those that can hold it.

use super::{AnyAlgorithm, FixedWindow, Permits, SlidingLog, TokenBucket};
use crate::clock::seconds;
use crate::error::Result;
use crate::quota::{Quota, Terms, grouped};

impl Quota {
    /// The quota under the algorithm of windows that goes by `name`.
    ///
    /// # Errors
    /// When that algorithm cannot hold it.
    pub fn windowed(&self, name: &str) -> Result<AnyAlgorithm> {
        match &self.terms {
            Terms::Window { limit, window } => {
                if name == "sliding_log" && *limit > SlidingLog::LARGEST {
                    let most = grouped(SlidingLog::LARGEST);
                    return Err(self.unfit(&format!(
                        "an exact log holds at most {most} units: a SegmentedWindow holds more"
                    )));
                }
                AnyAlgorithm::named(name, *limit, *window)
                    .ok_or_else(|| self.unfit(&format!("no algorithm of windows is called {name}")))
            }
            Terms::Calendar { limit, calendar } if name == "fixed_window" => Ok(
                AnyAlgorithm::FixedWindow(FixedWindow::of_calendar(*limit, calendar.clone())),
            ),
            Terms::Calendar { .. } => Err(self.unfit("only a FixedWindow has calendar windows")),
            Terms::Bucket { .. } => Err(self.unfit("only a TokenBucket has a burst")),
            Terms::Concurrent(_) => {
                Err(self.unfit("a ConcurrencyLimiter counts what is in flight"))
            }
            Terms::Unlimited => Err(self.unfit("a limiter needs a limit, such as '100/minute'")),
        }
    }

    /// The capacity, and the tokens per second, of the quota as a bucket: one without a burst holds
    /// as much as its window admits.
    ///
    /// # Errors
    /// When it is no rate.
    pub fn bucket_terms(&self) -> Result<(u32, f64)> {
        match self.terms {
            Terms::Bucket {
                amount,
                window,
                burst,
            } => Ok((burst, f64::from(amount) / seconds(window))),
            Terms::Window { limit, window } => Ok((limit, f64::from(limit) / seconds(window))),
            _ => Err(self.unfit("a TokenBucket needs a rate, such as '10/second burst 20'")),
        }
    }

    /// The quota as a bucket that begins full.
    ///
    /// # Errors
    /// When it is no rate, or the bucket takes over 31 years to fill.
    pub fn bucket(&self) -> Result<TokenBucket> {
        let (capacity, rate) = self.bucket_terms()?;
        TokenBucket::new(capacity, rate, capacity, 0)
            .map_err(|error| self.unfit(&error.to_string()))
    }

    /// The quota as permits.
    ///
    /// # Errors
    /// When it is a rate.
    pub fn permits(&self) -> Result<Permits> {
        match self.terms {
            Terms::Concurrent(limit) => Ok(Permits { limit, lease: 0 }),
            _ => Err(self.unfit("a ConcurrencyLimiter needs permits, such as '5 concurrent'")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::clock::SECOND;

    fn quota(text: &str) -> Quota {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn quotas_find_their_algorithms() {
        let log = quota("100/minute").windowed("sliding_log").expect("fits");
        assert_eq!((log.limit(), log.window()), (100, 60 * SECOND));
        let bucket = quota("10/second burst 6").bucket().expect("fits");
        assert_eq!((bucket.limit(), bucket.window()), (6, 600_000));
        let bucket = quota("10/second").bucket().expect("fits");
        assert_eq!((bucket.limit(), bucket.window()), (10, SECOND));
        assert_eq!(quota("5 concurrent").permits().expect("fits").limit, 5);
        let month = quota("5/month in UTC")
            .windowed("fixed_window")
            .expect("fits");
        assert_eq!(month.window(), 31 * 86_400 * SECOND);
    }

    #[test]
    fn what_an_algorithm_cannot_hold_is_refused_by_it() {
        let windowed = |text: &str, name: &str| quota(text).windowed(name).unwrap_err().to_string();
        let too_many = windowed("16777217/day", "sliding_log");
        assert!(too_many.contains("at most 16,777,216 units: a SegmentedWindow holds more"));
        assert!(windowed("5/day in UTC", "sliding_log").contains("FixedWindow"));
        assert!(windowed("5/second burst 9", "fixed_window").contains("TokenBucket"));
        assert!(windowed("5 concurrent", "fixed_window").contains("ConcurrencyLimiter"));
        assert!(windowed("unlimited", "fixed_window").contains("'100/minute'"));
        for text in ["5 concurrent", "unlimited", "5/day in UTC"] {
            assert!(quota(text).bucket().is_err(), "{text}");
        }
        for text in ["5/second", "unlimited", "5/second burst 5"] {
            assert!(quota(text).permits().is_err(), "{text}");
        }
    }
}
