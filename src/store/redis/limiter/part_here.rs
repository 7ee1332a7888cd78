//! A limiter's part in a call that this process decides in the server's place.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::instead::CLOSED_FOR;
use super::part::Part;
use super::{Failure, Verb, locked_now};
use crate::clock::unix_now;
use crate::decision::{Decision, Source};
use crate::quota::Quota;
use crate::store::redis::fallback::ask_here;
use crate::store::{Ask, JointStore};

impl Part {
    /// The server has not decided; the log is told once a minute.
    pub fn fail(&self, failure: &Failure, tells: bool) {
        let (limit, counts) = (&self.call.limit, &self.call.limit.counts);
        counts.errors.fetch_add(1, Relaxed);
        if *failure == Failure::Timeout {
            counts.timeouts.fetch_add(1, Relaxed);
        }
        if tells {
            limit.tell(&self.call, failure, unix_now());
        }
    }

    /// What decides in this process. Permits have nothing of the kind.
    #[must_use]
    pub fn local(&self) -> Option<Arc<dyn JointStore>> {
        locked_now(&self.call.limit.local).clone()
    }

    /// This process's share of the quota that the call gave, if it gave one.
    #[must_use]
    pub fn share(&self) -> Option<Quota> {
        self.call.quota.share_of_given(self.call.limit.workers)
    }

    /// What `local` is asked.
    #[must_use]
    pub fn ask<'a>(&self, local: &dyn JointStore, share: Option<&'a Quota>) -> Ask<'a> {
        let ask = ask_here(local, &self.call.key, self.call.cost, share);
        let cost = if self.never_fits { u32::MAX } else { ask.cost };
        Ask { cost, ..ask }
    }

    /// Of permits that are asked for: whether they are lent here, while this process holds no more than
    /// `on_error` lets it. The server is to be told in any case that they are not held there.
    #[must_use]
    pub fn lends(&self) -> bool {
        self.call.limit.lends(&self.call).unwrap_or(true)
    }

    /// Another limit refuses: what was lent is not held.
    pub fn return_lent(&self) {
        for number in &self.call.holders.numbers {
            self.call.limit.leave(&self.call.key, *number);
        }
    }

    /// What is said where nobody knows.
    #[must_use]
    pub fn undecided(&self, allowed: bool, source: Source) -> Decision {
        let whole = self.call.quota.unspent(unix_now());
        let is_known = allowed && source != Source::Local;
        Decision {
            allowed,
            remaining: if is_known { whole.remaining } else { 0 },
            retry_after: if allowed { 0 } else { CLOSED_FOR },
            source,
            ..whole
        }
    }

    /// It was decided without the server.
    #[must_use]
    pub fn settle_here(&self, decision: Decision, all_agree: bool) -> Decision {
        let (call, limit) = (&self.call, &self.call.limit);
        self.count(&decision, all_agree);
        if decision.source == Source::Local {
            limit.counts.local.fetch_add(1, Relaxed);
        }
        match call.verb {
            Verb::Check if all_agree => self.signed(decision),
            Verb::Reset | Verb::Anyway if decision.source == Source::Local => {
                limit.note(call, &decision);
                decision
            }
            _ => decision,
        }
    }
}
