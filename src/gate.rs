//! Several limits and one decision: all admit and spend, or nothing is spent anywhere.

mod errand;
mod memory;
mod order;
#[cfg(feature = "redis")]
mod redis;
#[cfg(test)]
mod tests;
mod waiting;
#[cfg(all(feature = "zone", target_os = "linux"))]
mod zone;

pub use memory::{Limit, MemoryGate};
#[cfg(feature = "redis")]
pub use redis::{RedisAsk, RedisGate, RedisLimit};
pub use waiting::{GateJoined, GatePolled, GateTicket, Question, Settled};
#[cfg(all(feature = "zone", target_os = "linux"))]
pub use zone::{HeldPermits, ZoneGate, ZoneLimit};

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
    /// Of no limit at all.
    const NONE: Self = Self {
        allowed: true,
        refused_by: 0,
        decides: None,
        retry_after: 0,
    };

    /// Of the limits' decisions, each with its place in the call; without those that only watch.
    pub(crate) fn of<'a>(decisions: impl Iterator<Item = (usize, &'a Decision)>) -> Self {
        let (mut verdict, mut tightest) = (Self::NONE, None);
        for (place, decision) in decisions {
            if !decision.allowed {
                verdict.refuse(place, decision.retry_after);
            } else if verdict.allowed
                && tightest.is_none_or(|other| has_smaller_share(decision, other))
            {
                verdict.decides = Some(place);
                tightest = Some(decision);
            }
        }
        verdict
    }

    fn refuse(&mut self, place: usize, retry_after: Ticks) {
        if self.allowed || retry_after > self.retry_after {
            self.decides = Some(place);
            self.retry_after = retry_after;
        }
        self.allowed = false;
        self.refused_by |= 1 << place;
    }
}

/// Compare `remaining / limit`.
fn has_smaller_share(one: &Decision, other: &Decision) -> bool {
    let product = |left: u32, limit: u32| u64::from(left) * u64::from(limit);
    product(one.remaining, other.limit) < product(other.remaining, one.limit)
}
