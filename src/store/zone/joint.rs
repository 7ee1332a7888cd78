//! A limit in a zone as one of several that decide together: it looks, spends and takes back in
//! steps of their own.

use super::{LimitId, Tenancy};
use crate::clock::Ticks;
use crate::decision::{Decision, Receipt};
use crate::error::Result;
use crate::store::{Ask, Fingerprint, Store};

/// What a look tells.
#[derive(Debug, Clone, Copy)]
pub struct Looked {
    /// What a check would say, with what is left before it.
    pub decision: Decision,
    /// Where the key lies, for [`ZonePart::spend_at`].
    pub tenancy: Tenancy,
}

/// How a call asks one limit.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Of which key, how much, and by which quota.
    pub ask: Ask<'a>,
    /// Whether it only watches: then it may be asked for more than could ever be admitted.
    pub is_shadow: bool,
    /// The time of the call.
    pub now: Ticks,
}

/// A store whose decision can be one of several that are made together.
///
/// There are no locks: what was seen by a look may be gone when it is spent. Whoever spends from
/// several gives back what it has spent when one of them has been emptied meanwhile.
#[expect(clippy::missing_errors_doc, reason = "as those of `Store`")]
pub trait ZonePart: Store {
    /// The limit's number in its zone: all processes spend in the order of these.
    fn limit_id(&self) -> LimitId;

    /// Whether it fits. Nothing changes, and nothing is counted.
    fn look_at(&self, asked: &Asked<'_>) -> Result<Looked>;

    /// Spend by one swap if it fits, where a look has found the key if it is still there. Counted by
    /// [`ZonePart::count`] alone.
    fn spend_at(&self, asked: &Asked<'_>, tenancy: Tenancy) -> Result<Decision>;

    /// Give back what a spend took, all of it and as far as it counts, whoever else has spent since.
    fn take_back(&self, key: Fingerprint, receipt: &Receipt);

    /// How long what is spent outlives a holder that is not heard of; `None`: it is not held.
    fn lease(&self) -> Option<Ticks>;

    /// Let the lease of what was spent and is held begin anew: its receipt from now on. `None`: it
    /// has lapsed, or was forgotten.
    fn renew(&self, key: Fingerprint, receipt: &Receipt) -> Option<Receipt>;

    /// Spend whether it fits or not. What goes beyond the limit is a debt as large as the word holds,
    /// of one whole quota at most; the receipt's cost is what was counted.
    fn spend_anyway(&self, ask: Ask<'_>) -> Result<Decision>;

    /// Count a call that was decided: `spent` says that this limit was spent from.
    fn count(&self, decision: &Decision, spent: bool, is_shadow: bool);
}
