use super::*;
use crate::clock::{SECOND, Ticks};

fn quota(text: &str) -> Quota {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(text: &str) -> String {
    text.parse::<Quota>().expect_err(text).to_string()
}

#[test]
fn every_spelling_is_one_quota_which_prints_as_its_shortest() {
    for (text, printed) in [
        ("5/second", "5/second"),
        ("5 / s", "5/second"),
        ("5 per 1 seconds", "5/second"),
        ("300 per 5 minutes", "300/5 minutes"),
        ("300/300s", "300/5 minutes"),
        ("500/7days", "500/week"),
        ("10 PER Hour", "10/hour"),
        ("1_000_000/d", "1000000/day"),
        ("1 request/minute", "1/minute"),
        ("40000 tokens/minute", "40000 tokens/minute"),
        ("40000 tokens per 90 s", "40000 tokens/90 seconds"),
        ("3/0.25 seconds", "3/0.25 seconds"),
        ("3/0.5m", "3/30 seconds"),
        ("10/second burst 20", "10/second burst 20"),
        ("10 tokens/second burst 6", "10 tokens/second burst 6"),
        ("5 concurrent", "5 concurrent"),
        (" unlimited ", "unlimited"),
        (
            "1000/day in America/Los_Angeles",
            "1000/day in America/Los_Angeles",
        ),
        ("10000 tokens/1 month IN utc", "10000 tokens/month in UTC"),
        ("9/weeks in Europe/Berlin", "9/week in Europe/Berlin"),
    ] {
        assert_eq!(quota(text).to_string(), printed, "{text}");
        assert_eq!(quota(text), quota(printed), "{text}");
    }
}

#[test]
fn quotas_differ_by_amount_window_burst_zone_and_unit() {
    let texts = [
        "5/second",
        "6/second",
        "5/minute",
        "5/second burst 5",
        "5/second burst 6",
        "5/day",
        "5/day in UTC",
        "5/day in Europe/Berlin",
        "5/week in UTC",
        "5 concurrent",
        "unlimited",
        "5 tokens/second",
    ];
    for (i, one) in texts.iter().enumerate() {
        for (j, other) in texts.iter().enumerate() {
            assert_eq!(quota(one) == quota(other), i == j, "{one} and {other}");
        }
    }
}

#[test]
fn a_text_may_have_several_parts() {
    for text in [
        "5/second; 300/minute",
        "5/second,300/minute",
        "5 per second|300/m",
    ] {
        let parts = Quota::parse_all(text).expect(text);
        assert_eq!(parts, [quota("5/second"), quota("300/minute")], "{text}");
    }
    let several = refusal("5/second; 300/minute; 9/day");
    assert!(
        several.contains("3 quotas") && several.contains("Gate"),
        "{several}"
    );
}

#[test]
fn a_refusal_quotes_the_part_and_shows_a_right_one() {
    for (text, part, says) in [
        ("5/fortnight", "5/fortnight", "'fortnight' is no period"),
        (
            "5/second; 6/fortnight",
            "6/fortnight",
            "'fortnight' is no period",
        ),
        ("0/second", "0/second", "from 1 to 4,294,967,295"),
        (
            "4_294_967_296/second",
            "4_294_967_296/second",
            "from 1 to 4,294,967,295",
        ),
        ("1.5/second", "1.5/second", "whole number"),
        (
            "5/0 seconds",
            "5/0 seconds",
            "0.000001 to 1,000,000,000 seconds",
        ),
        (
            "5/0.0000001 seconds",
            "5/0.0000001 seconds",
            "0.000001 to 1,000,000,000 seconds",
        ),
        (
            "5/99999 weeks",
            "5/99999 weeks",
            "0.000001 to 1,000,000,000 seconds",
        ),
        (
            "5 concurrent/second",
            "5 concurrent/second",
            "'5 concurrent'",
        ),
        (
            "5 concurrent burst 6",
            "5 concurrent burst 6",
            "belongs to a rate",
        ),
        ("unlimited in UTC", "unlimited in UTC", "belongs to a rate"),
        (
            "5 minutes/hour",
            "5 minutes/hour",
            "'minutes' cannot be a unit",
        ),
        ("5 in/hour", "5 in/hour", "'in' cannot be a unit"),
        ("1000/month", "1000/month", "'10000/month in UTC'"),
        ("1000/3 years", "1000/3 years", "'10000/month in UTC'"),
        ("5/2 days in UTC", "5/2 days in UTC", "one period"),
        (
            "5/hour in UTC",
            "5/hour in UTC",
            "a day, week, month or year",
        ),
        (
            "5/day in Atlantis",
            "5/day in Atlantis",
            "'Atlantis' is no time zone",
        ),
        (
            "5/day in ../../etc/passwd",
            "5/day in ../../etc/passwd",
            "is no time zone",
        ),
        (
            "5/day in UTC burst 9",
            "5/day in UTC burst 9",
            "'10/second burst 20'",
        ),
        ("5/day burst 9 in UTC", "5/day burst 9 in UTC", "no burst"),
        ("5/second burst", "5/second burst", "stands at the end"),
        ("5/second burst 0", "5/second burst 0", "from 1 to"),
        (
            "1/week burst 4000000000",
            "1/week burst 4000000000",
            "within 1,000,000,000 seconds",
        ),
        ("", "", "it is empty"),
        ("5/second;", "5/second;", "a part of it is empty"),
        ("5", "5", "'5/second'"),
        ("second", "second", "'5/second'"),
        ("-5/second", "-5/second", "'-' does not belong"),
        ("５/second", "５/second", "does not belong"),
        ("5//second", "5//second", "'5/second'"),
        ("5/second second", "5/second second", "'5/second'"),
    ] {
        let message = refusal(text);
        assert!(
            message.starts_with(&format!("quota '{part}': ")),
            "{text}: {message}"
        );
        assert!(message.contains(says), "{text}: {message}");
    }
}

#[test]
fn a_long_or_hostile_text_is_cut_and_escaped() {
    let message = refusal(&format!("5/second\n{}", "x".repeat(10_000)));
    assert!(message.len() < 400 && !message.contains('\n'), "{message}");
}

/// Unix time in ticks of a moment in a zone, as the zone's clock shows it the first time.
fn at(zone: &str, moment: &str) -> Ticks {
    let moment: jiff::civil::DateTime = moment.parse().expect("a moment");
    let instant = moment.in_tz(zone).expect("a zone").timestamp();
    u64::try_from(instant.as_microsecond()).expect("after 1970")
}

#[test]
fn a_period_ends_where_the_next_begins_whatever_the_clock_does() {
    const HOUR: Ticks = 3_600 * SECOND;
    for (period, zone, moment, hours) in [
        (Period::Day, "UTC", "2026-11-26T12:00", 24),
        (Period::Day, "Europe/Berlin", "2026-03-29T12:00", 23),
        (Period::Day, "Europe/Berlin", "2026-10-25T12:00", 25),
        (Period::Day, "America/Sao_Paulo", "2018-11-04T12:00", 23), // midnight is leapt over
        (Period::Day, "Pacific/Apia", "2011-12-29T12:00", 24),      // the 30th never was
        (Period::Month, "UTC", "2028-02-29T12:00", 29 * 24),
        (Period::Year, "UTC", "2028-02-29T12:00", 366 * 24),
        (
            Period::Week,
            "Europe/Berlin",
            "2026-03-29T12:00",
            7 * 24 - 1,
        ),
        // The clock went back a minute after midnight, and it was the 3rd once more.
        (Period::Day, "America/St_Johns", "2007-11-03T12:00", 24),
        (Period::Day, "America/St_Johns", "2007-11-04T12:00", 25),
    ] {
        let calendar = Calendar::new(period, zone).expect("a zone");
        let (start, end) = calendar.around(at(zone, moment));
        assert_eq!(end - start, hours * HOUR, "{calendar} around {moment}");
        assert_eq!(calendar.around(start), (start, end));
        assert_eq!(calendar.around(end - 1), (start, end));
        let (next, _) = calendar.around(end);
        assert_eq!(next, end, "{calendar}");
        let (_, before) = calendar.around(start - 1);
        assert_eq!(before, start, "{calendar}");
    }
}

#[test]
fn the_calendar_goes_on_beyond_its_last_year() {
    let calendar = Calendar::new(Period::Year, "UTC").expect("a zone");
    for moment in [
        0,
        1,
        253_402_300_799 * SECOND,
        300_000_000_000 * SECOND,
        u64::MAX - 1,
    ] {
        let (start, end) = calendar.around(moment);
        assert!(start <= moment && moment < end, "{moment}");
    }
}
