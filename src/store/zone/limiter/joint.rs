//! A limit in a zone as one of several that decide together: it looks, spends and takes back in
//! steps of their own.

use std::sync::atomic::Ordering::Relaxed;

use super::{ZoneLimiter, ZoneStore};
use crate::algorithm::{Algorithm, Spend};
use crate::clock::Ticks;
use crate::decision::{Decision, Receipt};
use crate::error::{self, Result};
use crate::store::zone::registry::LimitId;
use crate::store::zone::table::tenancy::{Seen, Tenancy};
use crate::store::zone::word::Word;
use crate::store::{Ask, Fingerprint};

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
pub trait ZonePart: ZoneLimiter {
    /// The limit's number in its zone: all processes spend in the order of these.
    fn limit_id(&self) -> LimitId;

    /// Whether it fits. Nothing changes, and nothing is counted.
    fn look_at(&self, asked: &Asked<'_>) -> Result<Looked>;

    /// Spend by one swap if it fits, where a look has found the key if it is still there. Counted by
    /// [`ZonePart::count`] alone.
    fn spend_at(&self, asked: &Asked<'_>, tenancy: Tenancy) -> Result<Decision>;

    /// Give back what a spend took, all of it and as far as it counts, whoever else has spent since.
    fn take_back(&self, asked: &Asked<'_>, receipt: &Receipt);

    /// How long what is spent outlives a holder that is not heard of; `None`: it is not held.
    fn lease(&self) -> Option<Ticks>;

    /// Let the lease of what was spent and is held begin anew: its receipt from now on. `None`: it
    /// has lapsed, or was forgotten.
    fn renew(&self, key: Fingerprint, receipt: &Receipt) -> Option<Receipt>;

    /// Spend whether it fits or not. What goes beyond the limit is a debt as large as the word holds,
    /// of one whole quota at most; the receipt's cost is what was counted.
    fn spend_anyway(&self, ask: Ask<'_>) -> Result<Decision>;

    /// Count a call that was decided, where its key lies: `spent` says that this limit was spent from.
    fn count(&self, decision: &Decision, tenancy: Tenancy, spent: bool, is_shadow: bool);
}

/// What a call costs here, and whether that could ever fit: one that only watches may ask for more.
fn cost_of(algorithm: &impl Algorithm, asked: &Asked<'_>) -> Result<(u32, bool)> {
    let (cost, limit) = (asked.ask.cost, algorithm.limit());
    if !asked.is_shadow {
        error::fits(cost, limit)?;
    }
    Ok((cost.min(limit), cost <= limit))
}

impl<W: Word> ZonePart for ZoneStore<W> {
    fn limit_id(&self) -> LimitId {
        self.id
    }

    #[inline]
    fn look_at(&self, asked: &Asked<'_>) -> Result<Looked> {
        let mut room = None;
        let algorithm = self.by_in(asked.ask.quota, &mut room)?;
        let (cost, may_fit) = cost_of(algorithm, asked)?;
        let found = self.zone.look(self.id, asked.ask.key, asked.now);
        let seen = Seen {
            now: asked.now,
            found,
        };
        let (_, decision) = self.with_state(algorithm, &seen, |state, now| {
            let fits = may_fit && algorithm.fits(state, now, cost);
            (false, self.told(algorithm, state, now, (cost, fits)))
        });
        Ok(Looked {
            decision,
            tenancy: found.tenancy,
        })
    }

    #[inline]
    fn spend_at(&self, asked: &Asked<'_>, tenancy: Tenancy) -> Result<Decision> {
        let mut room = None;
        let algorithm = self.by_in(asked.ask.quota, &mut room)?;
        let (cost, may_fit) = cost_of(algorithm, asked)?;
        let mut change = |seen: &Seen| {
            self.with_state(algorithm, seen, |state, now| {
                let fits = may_fit && algorithm.admit(state, now, cost);
                let mut decision = self.told(algorithm, state, now, (cost, fits));
                if fits {
                    let who = (asked.ask.key.tag(), cost);
                    decision.receipt = self.receipt(algorithm, state, now, who);
                }
                (fits, decision)
            })
        };
        Ok(self.changed(&asked.ask, asked.now, tenancy, &mut change))
    }

    fn take_back(&self, asked: &Asked<'_>, receipt: &Receipt) {
        if let Ok(algorithm) = self.by(asked.ask.quota) {
            self.change_by_receipt(&algorithm, asked.ask.key, receipt, |state, now| {
                let spend = Spend {
                    at: receipt.at,
                    mark: receipt.mark(),
                };
                algorithm.give_back_marked(state, now, (spend, receipt.cost), receipt.cost);
                Some(())
            });
        }
    }

    fn lease(&self) -> Option<Ticks> {
        self.algorithm().lease()
    }

    fn renew(&self, key: Fingerprint, receipt: &Receipt) -> Option<Receipt> {
        let (algorithm, from, units) = (self.algorithm(), receipt.mark(), receipt.cost);
        let mark = self.change_by_receipt(algorithm, key, receipt, |state, now| {
            algorithm.renew(state, now, from, units)
        })?;
        Some(receipt.with_mark(mark))
    }

    fn spend_anyway(&self, ask: Ask<'_>) -> Result<Decision> {
        let algorithm = self.by(ask.quota)?;
        let mut change = |seen: &Seen| {
            self.with_state(&algorithm, seen, |state, now| {
                let counted = algorithm.spend(state, now, ask.cost);
                let mut decision = self.told(&algorithm, state, now, (ask.cost, true));
                let who = (ask.key.tag(), counted);
                decision.receipt = self.receipt(&algorithm, state, now, who);
                (counted > 0, decision)
            })
        };
        Ok(self.changed(&ask, self.time(), Tenancy::NONE, &mut change))
    }

    #[inline]
    fn count(&self, decision: &Decision, tenancy: Tenancy, spent: bool, is_shadow: bool) {
        if spent || !(decision.allowed || is_shadow) {
            self.counts.count(spent, tenancy);
        } else if !decision.allowed {
            self.counts.would_have_refused.fetch_add(1, Relaxed);
        }
    }
}

impl<W: Word> ZoneStore<W> {
    /// The decision, for a caller. A permit's wait is the end of the first lease.
    #[inline]
    fn told(
        &self,
        algorithm: &W,
        state: &W::State,
        now: Ticks,
        (cost, allowed): (u32, bool),
    ) -> Decision {
        let decision = self.decision(algorithm, state, now, cost, allowed);
        Decision {
            // One that only watches may refuse what costs more than there is ever.
            retry_after: decision.retry_after.max(u64::from(!allowed)),
            ..decision
        }
    }

    /// Change a key's state where it was found, or wherever it is, and sign the decision.
    #[inline]
    fn changed(
        &self,
        ask: &Ask<'_>,
        now: Ticks,
        tenancy: Tenancy,
        change: &mut impl FnMut(&Seen) -> (Option<u128>, Decision),
    ) -> Decision {
        let (zone, id, key) = (&self.zone, self.id, ask.key);
        let there = zone.update_at(id, key, tenancy, now, &mut *change);
        let updated =
            there.unwrap_or_else(|| zone.update(id, key, now, &|| self.time(), &mut *change));
        let mut decision = updated.result;
        decision.receipt.number = updated.tenancy.number();
        decision
    }

    /// Change what a receipt is of, if it is still there and there is something to change.
    fn change_by_receipt<R>(
        &self,
        algorithm: &W,
        key: Fingerprint,
        receipt: &Receipt,
        change: impl Fn(&mut W::State, Ticks) -> Option<R>,
    ) -> Option<R> {
        let tenancy = Tenancy::from_number(receipt.number);
        let now = self.time();
        let changed = self.zone.update_at(self.id, key, tenancy, now, |seen| {
            self.with_state(algorithm, seen, |state, now| {
                let changed = change(state, now);
                (changed.is_some(), changed)
            })
        });
        changed?.result
    }
}
