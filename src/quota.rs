//! A quota as a value: how much, of what, in what time.

mod calendar;
mod parts;
mod text;

pub use calendar::{Calendar, Period};
pub use parts::{grouped, limit, window};

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::algorithm::{AnyAlgorithm, FixedWindow, Permits, SlidingLog, TokenBucket};
use crate::clock::{SECOND, Ticks, seconds};
use crate::error::{Error, Result};

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

    /// So much in a span of time; with a burst, a token bucket.
    ///
    /// # Errors
    /// When the unit is no word for one, or the bucket takes over 31 years to fill.
    pub fn rate(limit: u32, window: Ticks, burst: Option<u32>, unit: &str) -> Result<Self> {
        let terms = burst.map_or(Terms::Window { limit, window }, |burst| Terms::Bucket {
            amount: limit,
            window,
            burst,
        });
        let unit = text::unit_named(unit)?;
        Self { terms, unit }.checked()
    }

    /// It, if it is one that its algorithm can hold.
    fn checked(self) -> Result<Self> {
        if matches!(self.terms, Terms::Bucket { .. }) {
            self.bucket()?;
        }
        Ok(self)
    }

    /// The quotas of a text of several parts, in their order.
    ///
    /// # Errors
    /// [`Error::Quota`] with the part that is wrong.
    pub fn parse_all(text: &str) -> Result<Vec<Self>> {
        text::parse_all(text)
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

    /// The quota under the algorithm of windows that goes by `name`.
    ///
    /// # Errors
    /// When that algorithm cannot hold it.
    pub fn windowed(&self, name: &str) -> Result<AnyAlgorithm> {
        match &self.terms {
            Terms::Window { limit, window } => {
                if name == "sliding_log" && *limit > SlidingLog::LARGEST {
                    let most = grouped(SlidingLog::LARGEST);
                    return Err(self.unfit(&format!("an exact log holds at most {most} units")));
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
            Terms::Concurrent(limit) => Ok(Permits { limit }),
            _ => Err(self.unfit("a ConcurrencyLimiter needs permits, such as '5 concurrent'")),
        }
    }

    fn unfit(&self, why: &str) -> Error {
        Error::quota(&self.to_string(), why)
    }
}

impl FromStr for Quota {
    type Err = Error;

    /// One part.
    fn from_str(text: &str) -> Result<Self> {
        let mut parts = Self::parse_all(text)?;
        match (parts.pop(), parts.len()) {
            (Some(part), 0) => Ok(part),
            (_, others) => Err(Error::quota(
                text,
                &format!(
                    "there are {} quotas in it and one limit holds one: a Gate takes several",
                    others + 1
                ),
            )),
        }
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

#[cfg(test)]
mod tests;
