//! What a limiter answers when the server does not.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::{Call, Failure, OnError, RedisLimiter, Verb, locked_now};
use crate::clock::{SECOND, Ticks, unix_now};
use crate::decision::{Decision, Source};
use crate::store::Patience;
use crate::store::redis::fallback::ask_here;
use crate::store::redis::server::{SILENCE, notice};

/// How long a caller that is refused because the server is down is told to wait.
pub(super) const CLOSED_FOR: Ticks = SECOND;

impl RedisLimiter {
    /// The server has not decided: do as the policy says, and note what it was not charged.
    #[cold]
    pub(super) fn stand_in(&self, call: &Call, failure: Failure) -> Result<Decision, Failure> {
        let answer = self.instead(call, failure);
        if call.verb == Verb::Check
            && self.leases.is_none()
            && matches!(&answer, Ok(decision) if decision.allowed)
        {
            let (now, span) = (Instant::now(), call.quota.counts_for());
            self.uncharged.add(&call.key, call.cost, now, span);
        }
        answer.map(|decision| self.signed(call, decision))
    }

    fn instead(&self, call: &Call, failure: Failure) -> Result<Decision, Failure> {
        let now = unix_now();
        self.tell(call, &failure, now);
        let nothing = call.quota.unspent(now);
        if self.leases.is_some() && matches!(call.verb, Verb::Refund | Verb::Renew) {
            return Ok(nothing); // to be sent again
        }
        self.counts.errors.fetch_add(1, Relaxed);
        if failure == Failure::Timeout {
            self.counts.timeouts.fetch_add(1, Relaxed);
        }
        let lent = self.lends(call);
        let gives_back = matches!(call.verb, Verb::Refund | Verb::Reset);
        match self.on_error {
            OnError::Raise => Err(failure),
            _ if call.verb == Verb::InUse => Err(failure),
            OnError::Local if gives_back => {
                self.note(call, &nothing);
                Ok(Decision {
                    source: Source::Local,
                    ..nothing
                })
            }
            OnError::Local if let Some(allowed) = lent => {
                self.counts.local.fetch_add(1, Relaxed);
                Ok(Decision {
                    allowed,
                    remaining: 0,
                    retry_after: if allowed { 0 } else { CLOSED_FOR }, // nobody knows how long
                    source: Source::Local,
                    ..nothing
                })
            }
            OnError::Local => self.decide_here(call).ok_or(failure),
            OnError::Open => Ok(Decision {
                source: Source::Open,
                ..nothing
            }),
            OnError::Closed => Ok(Decision {
                allowed: gives_back,
                remaining: 0,
                retry_after: if gives_back { 0 } else { CLOSED_FOR },
                source: Source::Closed,
                ..nothing
            }),
        }
    }

    /// Of a permit that is asked for: whether it is lent here.
    pub(super) fn lends(&self, call: &Call) -> Option<bool> {
        let leases = self.leases.as_ref().filter(|_| call.verb == Verb::Check)?;
        let (share, limit) = match self.on_error {
            OnError::Local => (call.quota.share(self.workers), call.quota.limit()),
            OnError::Open => (u32::MAX, u32::MAX),
            OnError::Closed | OnError::Raise => (0, 0),
        };
        Some(leases.lend(&call.key, &call.holders, share, limit))
    }

    /// A caller that gets an exception knows; others would never learn that a password is wrong.
    pub(super) fn tell(&self, call: &Call, failure: &Failure, now: Ticks) {
        let is_known = self.on_error == OnError::Raise;
        let (told_at, what, is_known) = match (call.verb, &self.leases) {
            (Verb::Renew, _) => (
                1,
                "Permits that are held are not renewed in Redis, and end with their leases",
                false,
            ),
            (Verb::Refund, Some(_)) => (
                0,
                "Permits are not given back to Redis, and free when their leases end",
                call.holders.quiet,
            ),
            (_, Some(_)) => (0, "Permits are decided by on_error, not by Redis", is_known),
            (_, None) => (0, "Limits are decided by on_error, not by Redis", is_known),
        };
        let told_at = &self.told_at[told_at];
        let quiet = SILENCE.as_secs() * SECOND;
        if is_known || now.abs_diff(told_at.load(Relaxed)) < quiet {
            return;
        }
        told_at.store(now, Relaxed);
        notice(format!("{what} (said once a minute): {failure}"));
    }

    fn decide_here(&self, call: &Call) -> Option<Decision> {
        let local = locked_now(&self.local);
        let local = local.as_ref()?;
        let share = call.quota.share_of_given(self.workers);
        let ask = ask_here(&**local, &call.key, call.cost, share.as_ref());
        let decided = match call.verb {
            Verb::Check => local.check(ask, None, Patience::Wait),
            _ => local.peek(ask, Patience::Wait),
        };
        self.counts.local.fetch_add(1, Relaxed);
        let decision = decided.ok()?;
        Some(Decision {
            source: Source::Local,
            ..decision
        })
    }
}
