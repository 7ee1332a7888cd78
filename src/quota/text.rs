//! The grammar of quotas.
//!
//! Parts stand between `;`, `,` or `|`. A part is `amount [unit] (/|per) [n] period`, with
//! `burst n` or `in ZONE` behind it, or `n concurrent`, or `unlimited`.

use std::str::FromStr;
use std::sync::Arc;

use super::calendar::{Calendar, Period};
use super::parts::grouped;
use super::value::{Quota, REQUESTS, Terms};
use super::words::{RIGHT, Word, in_name, split_zone, words};
use crate::clock::{LONGEST_SPAN, SECOND, Ticks};
use crate::error::{Error, Result, shown};

const NO_UNIT: &str = "cannot be a unit: name what is counted by a word that the grammar has no \
                       other use for, as in '40000 tokens/minute'";

impl Quota {
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
        let unit = unit_named(unit)?;
        Self { terms, unit }.checked()
    }

    /// The quotas of a text of several parts, in their order.
    ///
    /// # Errors
    /// [`Error::Quota`] with the part that is wrong.
    pub fn parse_all(text: &str) -> Result<Vec<Self>> {
        let parts: Vec<&str> = text.split([';', ',', '|']).map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            let what = match parts.len() {
                1 => "it is empty",
                _ => "a part of it is empty",
            };
            return Err(Error::quota(text, &format!("{what}: {RIGHT}")));
        }
        parts.into_iter().map(parse).collect()
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

/// One part.
fn parse(text: &str) -> Result<Quota> {
    let (terms, zone) = split_zone(text);
    let words = words(text, terms)?;
    Part { text, words, zone }.quota()
}

struct Part<'a> {
    text: &'a str,
    words: Vec<Word<'a>>,
    zone: Option<&'a str>,
}

impl Part<'_> {
    fn quota(&self) -> Result<Quota> {
        use Word::{Name, Number, Per};
        let (words, burst) = self.without_burst()?;
        match *words {
            [Name(word)] if is(word, "unlimited") => self.alone(burst, Terms::Unlimited),
            [Number(limit), Name(word)] if is(word, "concurrent") => {
                let limit = self.amount(limit)?;
                self.alone(burst, Terms::Concurrent(limit))
            }
            [Number(_), Name(word), Per, ..] if is(word, "concurrent") => Err(self.error(
                "what is concurrent has no period: write '5 concurrent', or a rate as '5/second'",
            )),
            [Number(amount), Per, ref span @ ..] => self.rate(amount, None, span, burst),
            [Number(amount), Name(unit), Per, ref span @ ..] => {
                self.rate(amount, Some(unit), span, burst)
            }
            _ => Err(self.error(RIGHT)),
        }
    }

    /// The words before `burst n`, and the number behind it.
    fn without_burst(&self) -> Result<(&[Word<'_>], Option<u32>)> {
        match self.words.as_slice() {
            [rest @ .., Word::Name(word), Word::Number(burst)] if is(word, "burst") => {
                Ok((rest, Some(self.amount(burst)?)))
            }
            words
                if words
                    .iter()
                    .any(|word| matches!(word, Word::Name(name) if is(name, "burst"))) =>
            {
                Err(self
                    .error("a burst stands at the end with its size, as in '10/second burst 20'"))
            }
            words => Ok((words, None)),
        }
    }

    /// Terms that have neither a burst nor a zone.
    fn alone(&self, burst: Option<u32>, terms: Terms) -> Result<Quota> {
        if burst.is_some() || self.zone.is_some() {
            return Err(
                self.error("a burst or a zone belongs to a rate, as in '10/second burst 20'")
            );
        }
        Ok(Quota::new(terms))
    }

    fn rate(
        &self,
        amount: &str,
        unit: Option<&str>,
        span: &[Word<'_>],
        burst: Option<u32>,
    ) -> Result<Quota> {
        let amount = self.amount(amount)?;
        let unit = unit.map_or(Ok(REQUESTS.into()), |name| {
            unit_named(name).map_err(|_| self.error(&format!("'{}' {NO_UNIT}", shown(name))))
        })?;
        let (count, period) = match *span {
            [Word::Name(period)] => (None, period),
            [Word::Number(count), Word::Name(period)] => (Some(count), period),
            _ => return Err(self.error(RIGHT)),
        };
        let terms = match (self.zone, burst) {
            (Some(_), Some(_)) => {
                return Err(self.error("a calendar window has no burst: leave one of them out"));
            }
            (Some(zone), None) => self.calendar(amount, count, period, zone)?,
            (None, burst) => {
                let window = self.window(count, period)?;
                burst.map_or(
                    Terms::Window {
                        limit: amount,
                        window,
                    },
                    |burst| Terms::Bucket {
                        amount,
                        window,
                        burst,
                    },
                )
            }
        };
        Quota { terms, unit }.checked()
    }

    fn calendar(&self, limit: u32, count: Option<&str>, name: &str, zone: &str) -> Result<Terms> {
        let Some(period) = self.period(name)?.calendar else {
            return Err(
                self.error("a zone belongs to a day, week, month or year, as in '1000/day in UTC'")
            );
        };
        if count.is_some_and(|count| digits(count) != "1") {
            return Err(self.error("a calendar window is one period, as in '1000/day in UTC'"));
        }
        let calendar = Calendar::new(period, zone).map_err(|_| {
            self.error(&format!(
                "'{}' is no time zone: write its IANA name, such as UTC or America/Los_Angeles",
                shown(zone)
            ))
        })?;
        Ok(Terms::Calendar { limit, calendar })
    }

    fn window(&self, count: Option<&str>, name: &str) -> Result<Ticks> {
        let Some(one) = self.period(name)?.ticks else {
            return Err(self.error(
                "how long months and years are depends on the calendar: name its time zone, as in \
                 '10000/month in UTC'",
            ));
        };
        let window = count.map_or(Some(one), |count| product(&digits(count), one));
        window
            .filter(|window| (1..=LONGEST_SPAN).contains(window))
            .ok_or_else(|| {
                self.error(
                    "its window must be from 0.000001 to 1,000,000,000 seconds, in whole \
                     microseconds, as in '300/5 minutes'",
                )
            })
    }

    fn period(&self, name: &str) -> Result<Named> {
        period(name).ok_or_else(|| {
            self.error(&format!(
                "'{}' is no period: write second, minute, hour, day or week, as in '5/day'",
                shown(name)
            ))
        })
    }

    fn amount(&self, number: &str) -> Result<u32> {
        digits(number)
            .parse()
            .ok()
            .filter(|amount| *amount > 0)
            .ok_or_else(|| {
                self.error(&format!(
                    "{} must be a whole number from 1 to {}, as in '5/second'",
                    shown(number),
                    grouped(u32::MAX)
                ))
            })
    }

    fn error(&self, what: &str) -> Error {
        Error::quota(self.text, what)
    }
}

/// A period by its name: how long it is, and what the calendar knows it as.
struct Named {
    ticks: Option<Ticks>,
    calendar: Option<Period>,
}

fn period(name: &str) -> Option<Named> {
    let (seconds, calendar) = match &*name.to_ascii_lowercase() {
        "s" | "second" | "seconds" => (Some(1), None),
        "m" | "minute" | "minutes" => (Some(60), None),
        "h" | "hour" | "hours" => (Some(3_600), None),
        "d" | "day" | "days" => (Some(86_400), Some(Period::Day)),
        "week" | "weeks" => (Some(604_800), Some(Period::Week)),
        "month" | "months" => (None, Some(Period::Month)),
        "year" | "years" => (None, Some(Period::Year)),
        _ => return None,
    };
    let ticks = seconds.map(|seconds: Ticks| seconds * SECOND);
    Some(Named { ticks, calendar })
}

/// The name of what a cost counts.
///
/// # Errors
/// When it is no word, or one of the grammar's own.
fn unit_named(name: &str) -> Result<Arc<str>> {
    let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(in_name);
    let is_taken = period(name).is_some()
        || ["burst", "concurrent", "in", "per", "unlimited"]
            .iter()
            .any(|word| is(name, word));
    if !is_word || is_taken {
        return Err(Error::quota(name, &format!("this {NO_UNIT}")));
    }
    Ok(if is(name, "request") || is(name, REQUESTS) {
        REQUESTS
    } else {
        name
    }
    .into())
}

fn is(word: &str, other: &str) -> bool {
    word.eq_ignore_ascii_case(other)
}

/// A number without the strokes that group it.
fn digits(number: &str) -> String {
    number.replace('_', "")
}

/// A decimal number of so many ticks, if that is a whole number of them.
fn product(number: &str, ticks: Ticks) -> Option<Ticks> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let ticks = digits.checked_mul(ticks.into())?;
    if !ticks.is_multiple_of(scale) {
        return None;
    }
    Ticks::try_from(ticks / scale).ok()
}
