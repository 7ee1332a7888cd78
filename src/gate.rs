//! Several limits and one decision: all admit and spend, or nothing is spent anywhere.

mod memory;
#[cfg(test)]
mod tests;

pub use memory::{Limit, MemoryGate};

use crate::clock::Ticks;
use crate::decision::Decision;
use crate::store::Ask;

/// The most limits that take part in one decision.
pub const MOST_LIMITS: usize = 32;

/// What one limit is asked in a call, and what it says.
#[derive(Debug, Clone, Copy)]
pub struct LimitAsk<'a> {
    /// Which limit of the gate, by its place there.
    pub limit: usize,
    /// Of which key, how much, and by which quota.
    pub ask: Ask<'a>,
    /// The limit's own decision, once it is made. Of a call that another limit refuses: what a look
    /// would tell.
    pub decision: Option<Decision>,
}

impl<'a> LimitAsk<'a> {
    /// A question that has no answer yet.
    #[must_use]
    pub fn new(limit: usize, ask: Ask<'a>) -> Self {
        Self {
            limit,
            ask,
            decision: None,
        }
    }
}

/// What all limits together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the call may go ahead: no limit refuses.
    pub allowed: bool,
    /// Which refuse: a bit for each, in the order of the call.
    pub refused_by: u32,
    /// The one that decides, by its place in the call: of those that refuse the one that waits longest,
    /// else the one with the smallest share left. `None`: none takes part but those that only watch.
    pub decides: Option<usize>,
    /// Until all would admit the call if nobody else spends: the longest of their waits.
    pub retry_after: Ticks,
}

impl Verdict {
    /// Of the limits' decisions, each with its place in the call; without those that only watch.
    fn of(decisions: impl Iterator<Item = (usize, Decision)> + Clone) -> Self {
        let refused = decisions.clone().filter(|(_, decision)| !decision.allowed);
        let refused_by = refused
            .clone()
            .fold(0, |bits, (place, _)| bits | 1 << place);
        // The first of equals; `max_by_key` would find the last.
        let longest = refused.min_by_key(|(_, decision)| Ticks::MAX - decision.retry_after);
        let tightest = || decisions.min_by(|(_, one), (_, other)| cmp_shares_left(one, other));
        Self {
            allowed: refused_by == 0,
            refused_by,
            decides: longest.or_else(tightest).map(|(place, _)| place),
            retry_after: longest.map_or(0, |(_, decision)| decision.retry_after),
        }
    }
}

/// Compare `remaining / limit`.
fn cmp_shares_left(one: &Decision, other: &Decision) -> std::cmp::Ordering {
    let product = |left: u32, limit: u32| u64::from(left) * u64::from(limit);
    product(one.remaining, other.limit).cmp(&product(other.remaining, one.limit))
}
