//! Days, weeks, months and years of a time zone, summer time and all.

use std::fmt;
use std::hash::{Hash, Hasher};

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::clock::{SECOND, Ticks};
use crate::error::{Error, Result};

/// A period of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday on.
    Week,
    /// From the first on.
    Month,
    /// From the first of January on.
    Year,
}

impl Period {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// The periods of one length in one time zone, each from its first instant to the next one's.
///
/// The zone's rules are those of this machine's time zone database, or of the one that is built
/// in, when the calendar was made.
#[derive(Debug, Clone)]
pub struct Calendar {
    period: Period,
    zone: TimeZone,
    name: Box<str>,
}

impl Calendar {
    /// A calendar of the zone with that IANA name.
    ///
    /// # Errors
    /// When no zone has that name.
    pub fn new(period: Period, name: &str) -> Result<Self> {
        let zone = TimeZone::get(name).map_err(|_| {
            Error::quota(
                name,
                "this is no time zone: give its IANA name, such as UTC or America/Los_Angeles",
            )
        })?;
        let name = zone.iana_name().unwrap_or(name).into();
        Ok(Self { period, zone, name })
    }

    /// The period.
    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// The zone's IANA name.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.name
    }

    /// How long the longest of these periods is, changes of the clock apart.
    #[must_use]
    pub fn longest(&self) -> Ticks {
        let days = match self.period {
            Period::Day => 1,
            Period::Week => 7,
            Period::Month => 31,
            Period::Year => 366,
        };
        days * 86_400 * SECOND
    }

    /// The period in which the Unix time `at` lies: its first instant, or 1970's, and the next one's.
    ///
    /// Where the calendar ends, in the year 9999, periods as long as the longest go on.
    #[must_use]
    pub fn around(&self, at: Ticks) -> (Ticks, Ticks) {
        self.found(at).unwrap_or_else(|| {
            let start = at - at % self.longest();
            (start, start.saturating_add(self.longest()))
        })
    }

    fn found(&self, at: Ticks) -> Option<(Ticks, Ticks)> {
        let instant = Timestamp::from_microsecond(i64::try_from(at).ok()?).ok()?;
        let first = self.first_of(self.zone.to_datetime(instant).date())?;
        let (start, end) = (first, self.next(first)?);
        let (start, end) = (self.begins(start)?, self.begins(end)?);
        if at < end {
            return Some((start, end));
        }
        // A clock that is put back over midnight shows the day before once more.
        Some((end, self.begins(self.next(self.next(first)?)?)?))
    }

    fn first_of(&self, date: Date) -> Option<Date> {
        Some(match self.period {
            Period::Day => date,
            Period::Week => {
                let days = date.weekday().since(Weekday::Monday);
                date.checked_sub(i64::from(days).days()).ok()?
            }
            Period::Month => date.first_of_month(),
            Period::Year => date.first_of_year(),
        })
    }

    fn next(&self, first: Date) -> Option<Date> {
        let one = match self.period {
            Period::Day => 1.day(),
            Period::Week => 1.week(),
            Period::Month => 1.month(),
            Period::Year => 1.year(),
        };
        first.checked_add(one).ok()
    }

    /// The first instant of a day. One whose midnight the clock leaps over begins with the leap.
    fn begins(&self, first: Date) -> Option<Ticks> {
        let midnight = first.to_zoned_datetime(self.zone.clone()).ok()?;
        let at = midnight.timestamp().as_microsecond();
        Some(u64::try_from(at).unwrap_or(0))
    }
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        (self.period, &self.name) == (other.period, &other.name)
    }
}

impl Eq for Calendar {}

impl Hash for Calendar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.period, &self.name).hash(state);
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.period.name(), self.name)
    }
}
