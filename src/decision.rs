//! The outcome of one call.

use crate::clock::Ticks;

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
}
