//! An algorithm with its quota as a value, for those who learn only at run time which one it is.

mod under;

use std::any::Any;

use super::{
    Algorithm, FixedWindow, Permits, SegmentedWindow, SlidingCounter, SlidingLog, TokenBucket,
};
use crate::clock::Ticks;
use crate::quota::Calendar;

/// One of the algorithms, with its quota.
#[derive(Debug, Clone)]
pub enum AnyAlgorithm {
    /// A counter per aligned window.
    FixedWindow(FixedWindow),
    /// A counter for each part of a window.
    SegmentedWindow(SegmentedWindow),
    /// Two aligned counters.
    SlidingCounter(SlidingCounter),
    /// Every unit's time.
    SlidingLog(SlidingLog),
    /// A bucket.
    TokenBucket(TokenBucket),
    /// Units that are held, in Redis for a lease.
    Permits(Permits),
}

impl AnyAlgorithm {
    /// The algorithm of windows that goes by `name`, or permits, whose `window` is their lease.
    #[must_use]
    pub fn named(name: &str, limit: u32, window: Ticks) -> Option<Self> {
        Some(match name {
            "fixed_window" => Self::FixedWindow(FixedWindow::new(limit, window)),
            "segmented_window" => Self::SegmentedWindow(SegmentedWindow::new(limit, window)),
            "sliding_counter" => Self::SlidingCounter(SlidingCounter { limit, window }),
            "sliding_log" => Self::SlidingLog(SlidingLog { limit, window }),
            "permits" => Self::Permits(Permits {
                limit,
                lease: window,
            }),
            _ => return None,
        })
    }

    /// The largest cost that can ever be admitted.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.terms().0
    }

    /// The window, the time from an empty bucket to a full one, or a lease.
    #[must_use]
    pub fn window(&self) -> Ticks {
        self.terms().1
    }

    /// The calendar whose periods its windows are, if they are.
    #[must_use]
    pub fn calendar(&self) -> Option<&Calendar> {
        match self {
            Self::FixedWindow(this) => this.calendar(),
            _ => None,
        }
    }

    /// The algorithm itself, if it is an `A`.
    #[must_use]
    pub fn into_one<A: Algorithm>(self) -> Option<A> {
        let one: Box<dyn Any> = match self {
            Self::FixedWindow(this) => Box::new(this),
            Self::SegmentedWindow(this) => Box::new(this),
            Self::SlidingCounter(this) => Box::new(this),
            Self::SlidingLog(this) => Box::new(this),
            Self::TokenBucket(this) => Box::new(this),
            Self::Permits(this) => Box::new(this),
        };
        one.downcast().ok().map(|one| *one)
    }

    fn terms(&self) -> (u32, Ticks) {
        fn of(algorithm: &impl Algorithm) -> (u32, Ticks) {
            (algorithm.limit(), algorithm.window())
        }
        match self {
            Self::FixedWindow(this) => of(this),
            Self::SegmentedWindow(this) => of(this),
            Self::SlidingCounter(this) => of(this),
            Self::SlidingLog(this) => of(this),
            Self::TokenBucket(this) => of(this),
            Self::Permits(this) => of(this),
        }
    }

    /// What each of so many processes may admit, so that all together admit this quota: one unit a
    /// window at least. A share of a bucket begins full.
    #[must_use]
    pub fn share(&self, workers: u32) -> Self {
        let share = |limit: u32| (limit / workers).max(1);
        match self.clone() {
            Self::FixedWindow(this) => {
                let limit = share(this.limit);
                Self::FixedWindow(this.with_limit(limit))
            }
            Self::SegmentedWindow(this) => {
                Self::SegmentedWindow(SegmentedWindow::new(share(this.limit), this.window))
            }
            Self::SlidingCounter(this) => Self::SlidingCounter(SlidingCounter {
                limit: share(this.limit),
                ..this
            }),
            Self::SlidingLog(this) => Self::SlidingLog(SlidingLog {
                limit: share(this.limit),
                ..this
            }),
            Self::TokenBucket(this) => Self::TokenBucket(this.share(workers)),
            Self::Permits(this) => Self::Permits(Permits {
                limit: share(this.limit),
                ..this
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    #[test]
    fn a_window_is_found_by_its_name_and_shared_evenly() {
        for name in [
            "fixed_window",
            "segmented_window",
            "sliding_counter",
            "sliding_log",
            "permits",
        ] {
            let whole = AnyAlgorithm::named(name, 10, SECOND).expect("known");
            assert_eq!((whole.limit(), whole.window()), (10, SECOND));
            assert_eq!(whole.share(4).terms(), (2, SECOND), "{name}");
            assert_eq!(whole.share(11).terms(), (1, SECOND), "{name}");
            let is_log = whole.into_one::<SlidingLog>().is_some();
            assert_eq!(is_log, name == "sliding_log");
        }
        assert!(AnyAlgorithm::named("token_bucket", 10, SECOND).is_none());
    }

    #[test]
    fn a_share_of_a_bucket_fills_at_its_share_of_the_rate() {
        let whole = TokenBucket::new(10, 5.0, 3, 7 * SECOND).expect("valid");
        let AnyAlgorithm::TokenBucket(part) = AnyAlgorithm::TokenBucket(whole).share(4) else {
            panic!("another algorithm");
        };
        let mut state = part.fresh();
        assert_eq!((part.limit(), part.window()), (2, 1_600_000));
        assert!(part.admit(&mut state, 0, 2), "it begins full");
        assert_eq!(part.wait(&state, 0, 1), Some(800_000));
    }
}
