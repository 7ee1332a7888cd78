//! The outcome of one call.

use crate::clock::Ticks;

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A limiter in this process.
    Memory,
    /// The server.
    Redis,
    /// This process, from what the server answered before: refused until then.
    Remembered,
    /// This process, in the server's place.
    Local,
    /// Nobody: admitted, since the server did not answer.
    Open,
    /// Nobody: refused, since the server did not answer.
    Closed,
}

impl Source {
    /// Its public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Remembered => "remembered",
            Self::Local => "local",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }

    /// The source of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        use Source::{Closed, Local, Memory, Open, Redis, Remembered};
        [Memory, Redis, Remembered, Local, Open, Closed]
            .into_iter()
            .find(|source| source.name() == name)
    }
}

/// What was decided, and what the caller may want to know about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decision {
    /// Whether the call may go ahead.
    pub allowed: bool,
    /// The quota's limit when this was decided.
    pub limit: u32,
    /// Units left after it.
    pub remaining: u32,
    /// Until this cost would be admitted if nobody else spends; 0 when allowed, else at least 1.
    pub retry_after: Ticks,
    /// Until the whole quota is back; 0 if it is.
    pub reset_after: Ticks,
    /// When it was decided.
    pub at: Ticks,
    /// Who decided it.
    pub source: Source,
}
