//! The outcome of one call.

use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use crate::clock::Ticks;

/// Where a decision was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A limiter in this process.
    Memory,
    /// All processes of a host that share a zone.
    Shared,
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
    /// A limiter that is not ours: which of the names that were given so far.
    Other(u16),
}

/// Names of limiters that are not ours. They are written in code, so there are few, and are kept.
static OTHERS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
const MOST_OTHERS: u16 = 1_000;
const LONGEST_NAME: usize = 64;

impl Source {
    /// Its public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Shared => "shared",
            Self::Redis => "redis",
            Self::Remembered => "remembered",
            Self::Local => "local",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Other(index) => others()[usize::from(index)],
        }
    }

    /// The source of that name.
    ///
    /// # Errors
    /// What a name must be.
    pub fn named(name: &str) -> Result<Self, &'static str> {
        use Source::{Closed, Local, Memory, Open, Redis, Remembered, Shared};
        let ours = [Memory, Shared, Redis, Remembered, Local, Open, Closed];
        match ours.into_iter().find(|source| source.name() == name) {
            Some(source) => Ok(source),
            None => Self::other(name),
        }
    }

    fn other(name: &str) -> Result<Self, &'static str> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(plain) {
            return Err("a name of 1 to 64 letters, digits and any of _-.:/, such as 'mine'");
        }
        let mut others = others();
        let known = others.iter().position(|other| *other == name);
        let index = match known.unwrap_or(others.len()).try_into() {
            Ok(index) if index < MOST_OTHERS => index,
            _ => return Err("one of at most 1,000 names in a process"),
        };
        if known.is_none() {
            others.push(Box::leak(name.into()));
        }
        Ok(Self::Other(index))
    }
}

fn others() -> std::sync::MutexGuard<'static, Vec<&'static str>> {
    OTHERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a refund has to know of the spend that a decision was. It is no part of the decision's
/// value: decisions are equal whatever their receipts.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    /// The number of the store in this process; 0: it is no receipt.
    pub store: u32,
    /// Bits of the key's fingerprint.
    pub key: u32,
    /// Units that were spent; 0: nothing that can be given back.
    pub cost: u32,
    /// How often a change of the quota had made receipts void, and of which kind the mark is.
    pub epoch: u32,
    /// How many calls had been admitted beside it, and so whether it is older than a reset.
    pub number: u64,
    /// When it was, on the store's clock.
    pub at: Ticks,
    /// What the algorithm has to know: the high and the low word of its mark, since a `u128` would
    /// be aligned to 16 bytes.
    pub mark: [u64; 2],
}

impl Receipt {
    /// Of what was not spent in a store of this process.
    pub const NONE: Self = Self {
        store: 0,
        key: 0,
        cost: 0,
        epoch: 0,
        number: 0,
        at: 0,
        mark: [0; 2],
    };

    /// The mark as one number.
    #[must_use]
    pub fn mark(&self) -> u128 {
        u128::from(self.mark[0]) << 64 | u128::from(self.mark[1])
    }

    /// The same receipt with another mark.
    #[must_use]
    pub fn with_mark(self, mark: u128) -> Self {
        let mark = [(mark >> 64) as u64, mark as u64];
        Self { mark, ..self }
    }
}

impl PartialEq for Receipt {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Receipt {}

impl Hash for Receipt {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
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
    /// What was spent, for those who give it back.
    pub receipt: Receipt,
}
