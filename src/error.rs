//! What a caller can get wrong. A refusal is not an error: it is a [`crate::decision::Decision`].

use std::fmt;

/// How much of a text a message shows.
const LONGEST_SHOWN: usize = 60;

/// A text as a message shows it: escaped, and cut.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(LONGEST_SHOWN).collect();
    let rest = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{rest}", cut.escape_debug())
}

/// An argument that no limiter can work with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// An argument lies outside its range.
    OutOfRange {
        /// The argument's public name.
        argument: &'static str,
        /// The value that was given.
        value: String,
        /// The range it must lie in, in words.
        range: String,
    },
    /// A quota that cannot be read, or that what it is for cannot hold.
    Quota {
        /// The part that is meant.
        text: String,
        /// What is wrong with it, and a right one.
        what: String,
    },
    /// The cost exceeds the limit: it could never be admitted.
    CostAboveLimit {
        /// The cost that was asked for.
        cost: u32,
        /// The limit it exceeds.
        limit: u32,
    },
    /// Blocking this thread would also stop the waiter that has to go first.
    WouldNeverWake,
}

impl Error {
    /// An [`Error::Quota`].
    #[must_use]
    pub fn quota(text: &str, what: &str) -> Self {
        Self::Quota {
            text: text.into(),
            what: what.into(),
        }
    }

    /// An [`Error::OutOfRange`].
    pub fn out_of_range(
        argument: &'static str,
        value: &impl ToString,
        range: impl Into<String>,
    ) -> Self {
        Self::OutOfRange {
            argument,
            value: value.to_string(),
            range: range.into(),
        }
    }
}

/// Whether a call of this cost could ever be admitted.
///
/// # Errors
/// [`Error::CostAboveLimit`].
#[inline]
pub fn fits(cost: u32, limit: u32) -> Result<()> {
    if cost > limit {
        return Err(Error::CostAboveLimit { cost, limit });
    }
    Ok(())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange {
                argument,
                value,
                range,
            } => write!(f, "{argument} must be {range}, got {value}"),
            Self::Quota { text, what } => {
                write!(f, "quota '{}': {what}", shown(text))
            }
            Self::CostAboveLimit { cost, limit } => write!(
                f,
                "cost must be an int from 1 to the limit, {limit}, got {cost}: it could never be admitted"
            ),
            Self::WouldNeverWake => f.write_str(
                "this would block the event loop of its thread, where a coroutine waits for the same \
                 key and has to go first: use `await limiter.wait(...)` or `async with` here",
            ),
        }
    }
}

impl std::error::Error for Error {}

/// Shorthand for results with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
