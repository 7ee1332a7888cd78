//! The value: terms, and what they count.

use std::fmt;
use std::sync::Arc;

use super::calendar::Calendar;
use crate::clock::{LONGEST_SPAN, SECOND, Ticks};
use crate::error::{Error, Result};

const FILLS_WITHIN: u128 = LONGEST_SPAN as u128;

/// What a cost counts unless the quota names something else.
pub const REQUESTS: &str = "requests";

/// How much, in what time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Terms {
    /// No limit at all.
    Unlimited,
    /// So many at the same time.
    Concurrent(u32),
    /// So much in a span of time.
    Window {
        /// Units, at least 1.
        limit: u32,
        /// The span, at least 1.
        window: Ticks,
    },
    /// A rate, and a capacity of its own: a token bucket.
    Bucket {
        /// Units, at least 1.
        amount: u32,
        /// In so much time, at least 1.
        window: Ticks,
        /// The most that passes at once, at least 1.
        burst: u32,
    },
    /// So much in each period of a calendar.
    Calendar {
        /// Units, at least 1.
        limit: u32,
        /// The period, and where.
        calendar: Calendar,
    },
}

/// A quota: its terms, and what it counts.
///
/// Its text is its name: `"5/second"` or `"40000 tokens/minute"` parse to it, and it prints as
/// that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Quota {
    /// How much, in what time.
    pub terms: Terms,
    /// What a cost counts.
    pub unit: Arc<str>,
}

impl Quota {
    /// A quota of requests.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            unit: REQUESTS.into(),
        }
    }

    /// It, unless it is a bucket that takes too long to fill.
    pub(super) fn checked(self) -> Result<Self> {
        if let Terms::Bucket {
            amount,
            window,
            burst,
        } = self.terms
            && u128::from(burst) * u128::from(window) > u128::from(amount) * FILLS_WITHIN
        {
            return Err(self.unfit("its burst must come back within 1,000,000,000 seconds"));
        }
        Ok(self)
    }

    /// How much: units in a window, tokens at once, or permits. `None`: as much as you like.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        match self.terms {
            Terms::Unlimited => None,
            Terms::Concurrent(limit)
            | Terms::Window { limit, .. }
            | Terms::Calendar { limit, .. }
            | Terms::Bucket { burst: limit, .. } => Some(limit),
        }
    }

    /// In what time: the longest period, for a calendar's. `None` where time means nothing.
    #[must_use]
    pub fn window(&self) -> Option<Ticks> {
        match &self.terms {
            Terms::Unlimited | Terms::Concurrent(_) => None,
            Terms::Window { window, .. } | Terms::Bucket { window, .. } => Some(*window),
            Terms::Calendar { calendar, .. } => Some(calendar.longest()),
        }
    }

    /// What each of so many processes may admit, so that all together admit this: one unit at least. As
    /// a bucket it fills at its share of the rate; one that would take too long is the whole.
    #[must_use]
    pub fn share(&self, workers: u32, as_bucket: bool) -> Self {
        let share = |limit: u32| (limit / workers).max(1);
        let bucket = |amount, window: Ticks, burst| {
            let window = window.saturating_mul(workers.into()).min(LONGEST_SPAN);
            let burst = share(burst);
            Terms::Bucket {
                amount,
                window,
                burst,
            }
        };
        let terms = match self.terms.clone() {
            Terms::Bucket {
                amount,
                window,
                burst,
            } => bucket(amount, window, burst),
            Terms::Window { limit, window } if as_bucket => bucket(limit, window, limit),
            Terms::Window { limit, window } => Terms::Window {
                limit: share(limit),
                window,
            },
            Terms::Calendar { limit, calendar } => Terms::Calendar {
                limit: share(limit),
                calendar,
            },
            Terms::Concurrent(limit) => Terms::Concurrent(share(limit)),
            Terms::Unlimited => Terms::Unlimited,
        };
        let unit = Arc::clone(&self.unit);
        Self { terms, unit }
            .checked()
            .unwrap_or_else(|_| self.clone())
    }

    /// That something cannot hold it, and why.
    #[must_use]
    pub fn unfit(&self, why: &str) -> Error {
        Error::quota(&self.to_string(), why)
    }
}

const PERIODS: [(Ticks, &str); 5] = [
    (7 * 86_400 * SECOND, "week"),
    (86_400 * SECOND, "day"),
    (3_600 * SECOND, "hour"),
    (60 * SECOND, "minute"),
    (SECOND, "second"),
];

/// A span as the grammar writes it: `second`, `5 minutes`, `0.25 seconds`.
fn span(window: Ticks) -> String {
    let whole = PERIODS
        .iter()
        .find(|(period, _)| window.is_multiple_of(*period));
    if let Some((period, name)) = whole {
        return match window / period {
            1 => (*name).into(),
            several => format!("{several} {name}s"),
        };
    }
    let fraction = format!("{:06}", window % SECOND);
    format!(
        "{}.{} seconds",
        window / SECOND,
        fraction.trim_end_matches('0')
    )
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match &*self.unit {
            REQUESTS => String::new(),
            other => format!(" {other}"),
        };
        match &self.terms {
            Terms::Unlimited => f.write_str("unlimited"),
            Terms::Concurrent(limit) => write!(f, "{limit} concurrent"),
            Terms::Window { limit, window } => write!(f, "{limit}{unit}/{}", span(*window)),
            Terms::Bucket {
                amount,
                window,
                burst,
            } => write!(f, "{amount}{unit}/{} burst {burst}", span(*window)),
            Terms::Calendar { limit, calendar } => write!(f, "{limit}{unit}/{calendar}"),
        }
    }
}
