//! Named points between two swaps, at which a test kills, delays or schedules whoever comes by. There
//! is nothing of it outside of test builds.

/// What is about to be done, or has just been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The key has no slot: choose one.
    Choose,
    /// Take a slot.
    Claim,
    /// Write whose it is.
    Announce,
    /// It says whose it is.
    Announced,
    /// Free the own slot for another one of the same key.
    Yield,
    /// Free another slot of the same key.
    Cancel,
    /// One more slot has been looked at.
    Settle,
    /// Read the time of the first change.
    Time,
    /// Make it a member.
    Join,
    /// It is a member.
    Joined,
    /// Change a member.
    Spend,
    /// It is changed.
    Spent,
    /// Forget a key.
    Remove,
    /// A gate has looked at all limits.
    GateLooked,
    /// A gate has spent from one more limit.
    GateSpent,
    /// Give back what a gate has spent from one limit.
    GateGiveBack,
    /// All that a gate has spent is given back.
    GateGaveBack,
}

/// A fault that the tests must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Insertions do not look for others of the same key.
    NoSettle,
    /// A gate that is refused half-way keeps what it has spent.
    NoGiveBack,
}

#[cfg(not(any(test, feature = "zone-faults")))]
mod here {
    use super::{Mutant, Step};

    #[inline]
    pub(crate) fn at(_: Step) {}

    #[inline]
    pub(crate) fn is_mutant(_: Mutant) -> bool {
        false
    }
}

#[cfg(any(test, feature = "zone-faults"))]
#[path = "steps/faults.rs"]
mod here;

#[cfg(test)]
pub(crate) use here::set;
pub(crate) use here::{at, is_mutant};
