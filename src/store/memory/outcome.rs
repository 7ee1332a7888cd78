//! What one call came to.

use super::MemoryStore;
use crate::algorithm::Algorithm;
use crate::clock::{SECOND, Ticks};
use crate::decision::{Decision, Source};
use crate::error::{self, Result};

/// Said of a wait that nobody knows.
const A_GUESS: Ticks = SECOND;

/// A decision and all that it was made from.
pub(super) struct Outcome<'a, A: Algorithm> {
    pub(super) rule: &'a A,
    pub(super) state: &'a A::State,
    pub(super) allowed: bool,
    pub(super) now: Ticks,
    pub(super) cost: u32,
    /// When its turn would come, if it is refused because others wait.
    pub(super) turn: Option<Ticks>,
}

impl<A: Algorithm> Outcome<'_, A> {
    /// The decision, made at the Unix time `at`.
    pub(super) fn decision(&self, at: Ticks) -> Decision {
        let until_it_fits = || self.rule.wait(self.state, self.now, self.cost);
        let wait = || match self.turn {
            Some(turn) => turn.saturating_sub(self.now),
            None => until_it_fits().unwrap_or(A_GUESS),
        };
        Decision {
            allowed: self.allowed,
            limit: self.rule.limit(),
            remaining: match self.turn {
                Some(_) => 0,
                None => self.rule.remaining(self.state, self.now),
            },
            retry_after: if self.allowed { 0 } else { wait().max(1) },
            reset_after: self.rule.reset_after(self.state, self.now),
            at,
            source: Source::Memory,
        }
    }
}

impl<A: Algorithm> MemoryStore<A> {
    /// [`Outcome::decision`] for a caller, by the wall clock of now.
    #[inline]
    pub(super) fn decision_of(&self, outcome: &Outcome<'_, A>) -> Decision {
        outcome.decision(self.clock.unix(outcome.now))
    }
}

pub(super) fn fits<A: Algorithm>(rule: &A, cost: u32) -> Result<()> {
    error::fits(cost, rule.limit())
}
