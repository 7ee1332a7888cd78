//! A limiter's part in a call of several limits, which one script decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use redis::Value;

use super::{Call, EncodedQuota, Failure, Holders, RedisLimiter, Verb};
use crate::clock::unix_now;
use crate::decision::Decision;
use crate::store::redis::denial_cache::DenialCache;
use crate::store::redis::encoded::{Told, Words};

/// What a limiter is asked together with others.
pub struct Part {
    pub(super) call: Call,
    /// Whether it refuses nobody.
    pub(super) is_shadow: bool,
    /// Whether a shadow is asked for more than it could ever admit.
    pub(super) never_fits: bool,
}

impl RedisLimiter {
    /// Its part in a call. A cost above the limit is for one that only watches, and for what is spent
    /// anyway.
    #[must_use]
    pub fn part(
        self: &Arc<Self>,
        quota: Arc<EncodedQuota>,
        verb: Verb,
        key: &[u8],
        cost: u32,
        holders: Holders,
        is_shadow: bool,
    ) -> Part {
        if verb == Verb::Reset {
            self.forget(key);
        }
        let never_fits = verb != Verb::Anyway && cost > quota.limit();
        Part {
            is_shadow,
            never_fits,
            call: Call {
                verb,
                cost: if never_fits { quota.limit() } else { cost },
                key: key.into(),
                holders,
                made_at: Instant::now(),
                quota,
                epoch: self.remembered.as_ref().map_or(0, DenialCache::epoch),
                number: self.receipts.next_call(),
                receipt: None,
                told: AtomicU64::new(0),
                limit: Arc::clone(self),
            },
        }
    }
}

impl Part {
    /// The key's name in Redis.
    #[must_use]
    pub fn name(&self) -> Vec<u8> {
        self.call.limit.names.name(&self.call.key)
    }

    /// Whether it refuses nobody.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.is_shadow
    }

    /// Whether it is of permits.
    #[must_use]
    pub fn are_permits(&self) -> bool {
        self.call.limit.leases.is_some()
    }

    /// The refusal that the server would repeat, as far as is known here.
    #[must_use]
    pub fn remembered(&self) -> Option<Decision> {
        let call = &self.call;
        let is_asked = call.verb == Verb::Check && !self.is_shadow;
        let remembered = call.limit.remembered.as_ref().filter(|_| is_asked)?;
        remembered.refusal(&call.key, call.cost, &call.quota, call.made_at)
    }

    /// Add what the script is told of it.
    pub fn add_to(&self, words: &mut Words) {
        let call = &self.call;
        let role = match (self.is_shadow, self.never_fits) {
            (false, _) => b'e',
            (true, false) => b's',
            (true, true) => b'w',
        };
        let leases = call.limit.leases.as_ref();
        let leases = leases.filter(|_| call.verb == Verb::Check);
        let ids = leases.map_or_else(Vec::new, |leases| leases.ids(&call.holders));
        let told = Some(call.told.load(Relaxed)).filter(|&time| time > 0);
        call.quota.add_to(words, role, call.cost, ids, told);
    }

    /// Whether the server said in reply to the whole call that this part's bounds are wrong.
    #[must_use]
    pub fn is_put_right(&self, reply: &Value) -> bool {
        let time = self.call.quota.outside(reply);
        self.call.told.store(time.unwrap_or(0), Relaxed);
        time.is_some()
    }

    /// Whether what the server tells of this part lets the call go ahead.
    #[must_use]
    pub fn agrees(&self, told: Told) -> bool {
        told.fits() || self.is_shadow
    }

    /// What that means, if `all_agree` or not.
    ///
    /// # Errors
    /// When it was not understood.
    pub fn read(&self, told: Told, all_agree: bool) -> Result<Decision, Failure> {
        let call = &self.call;
        if call.verb == Verb::Anyway {
            return call.quota.spent_anyway(told);
        }
        let is_spent = call.verb == Verb::Check && all_agree && !self.never_fits;
        let quota = &call.quota;
        let decision = quota.joint_decision(is_spent, call.cost, told, unix_now())?;
        if decision.allowed && !self.never_fits {
            return Ok(decision);
        }
        Ok(Decision {
            allowed: false,
            retry_after: decision.retry_after.max(1),
            ..decision
        })
    }

    /// What is said of a reset.
    #[must_use]
    pub fn forgotten(&self) -> Decision {
        self.call.quota.unspent(unix_now())
    }

    /// The server has decided: note what is to be known of that. Gives the decision with its receipt, if
    /// it has one.
    #[must_use]
    pub fn settle(&self, decision: Decision, all_agree: bool) -> Decision {
        let (call, limit) = (&self.call, &self.call.limit);
        self.count(&decision, all_agree);
        match call.verb {
            Verb::Check if decision.allowed && all_agree => {
                if let Some(leases) = &limit.leases {
                    leases.hear(
                        call.verb,
                        &call.key,
                        &call.holders,
                        call.made_at,
                        &Value::Nil,
                    );
                }
                limit.note(call, &decision);
                return self.signed(decision);
            }
            Verb::Check if decision.allowed || self.is_shadow => {} // nothing was spent
            _ => limit.note(call, &decision),
        }
        decision
    }

    /// The decision with its receipt; that of permits tells their numbers.
    pub(super) fn signed(&self, decision: Decision) -> Decision {
        let (call, limit) = (&self.call, &self.call.limit);
        if decision.allowed && limit.leases.is_some() {
            let numbers = &call.holders.numbers;
            return limit.receipts.held(&call.key, numbers, decision);
        }
        limit.signed(call, decision)
    }

    /// Count a check, whoever has decided it. What fits and is not spent is nothing to this limit.
    pub(super) fn count(&self, decision: &Decision, all_agree: bool) {
        let counts = &self.call.limit.counts;
        let count = match (self.call.verb, decision.allowed, self.is_shadow) {
            (Verb::Check, true, _) if all_agree => &counts.admitted,
            (Verb::Check, false, false) => &counts.refused,
            (Verb::Check, false, true) => &counts.would_have_refused,
            _ => return,
        };
        count.fetch_add(1, Relaxed);
    }

    /// Count a refusal without asking the server.
    pub fn count_remembered(&self) {
        let counts = &self.call.limit.counts;
        counts.refused.fetch_add(1, Relaxed);
        counts.remembered.fetch_add(1, Relaxed);
    }
}
