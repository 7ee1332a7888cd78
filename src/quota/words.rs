//! The words of a quota's text.

use crate::error::{Error, Result};

/// What a part that cannot be read is told.
pub(super) const RIGHT: &str = "this cannot be read: write a quota as '5/second', '300 per 5 minutes', '10/second burst 20', \
                     '1000/day in UTC', '5 concurrent' or 'unlimited'";

/// A word, a number, or the stroke that means `per`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Word<'a> {
    Number(&'a str),
    Name(&'a str),
    Per,
}

/// The text before ` in ZONE`, and the zone.
pub(super) fn split_zone(text: &str) -> (&str, Option<&str>) {
    let Some((before, zone)) = text.rsplit_once(char::is_whitespace) else {
        return (text, None);
    };
    let before = before.trim_end();
    match before.rsplit_once(char::is_whitespace) {
        Some((terms, word)) if word.eq_ignore_ascii_case("in") => (terms, Some(zone)),
        _ => (text, None),
    }
}

/// The words of `terms`, which are those of the part `text`.
pub(super) fn words<'a>(text: &str, terms: &'a str) -> Result<Vec<Word<'a>>> {
    let mut rest = terms;
    let mut words = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return Ok(words);
        };
        let is_part: fn(char) -> bool = match first {
            '/' => |_| false,
            '0'..='9' => |c| c.is_ascii_digit() || c == '_' || c == '.',
            'a'..='z' | 'A'..='Z' => in_name,
            _ => {
                let what = format!("{first:?} does not belong in it: {RIGHT}");
                return Err(Error::quota(text, &what));
            }
        };
        let end = 1 + rest[1..].find(|c| !is_part(c)).unwrap_or(rest.len() - 1);
        let word = &rest[..end];
        words.push(match first {
            '/' => Word::Per,
            '0'..='9' => Word::Number(word),
            _ if word.eq_ignore_ascii_case("per") => Word::Per,
            _ => Word::Name(word),
        });
        rest = &rest[end..];
    }
}

/// Whether a word may have it behind its first letter.
pub(super) fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}
