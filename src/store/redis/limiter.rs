//! One limiter: its quota, what it does when the server does not answer, and its counts.

mod forgetting;
mod instead;
mod part;
mod part_here;
mod permits;
mod quotas;
mod refunds;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use super::answer::{Answer, Failure, Reply};
use super::counts::{Counts, RedisStatistics};
use super::denial_cache::DenialCache;
use super::encoded::{EncodedQuota, Verb};
use super::fallback::{ask_here, refund_here};
use super::key::KeyNames;
use super::leases::{Holders, Leases};
use super::receipts::Receipts;
use super::request::{Request, Work};
use super::uncharged::Uncharged;
use crate::clock::unix_now;
use crate::decision::{Decision, Receipt};
use crate::error;
use crate::quota::Quota;
use crate::store::fork::locked_now;
use crate::store::{Ask, JointStore, Patience};
use quotas::Quotas;

pub use part::Part;

/// What decides when the server does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// A limiter in this process, kept warm by what the server admits.
    Local,
    /// Nobody: admit.
    Open,
    /// Nobody: refuse.
    Closed,
    /// The caller, who gets the [`Failure`].
    Raise,
}

/// A limiter whose state is in Redis.
pub struct RedisLimiter {
    quotas: Mutex<Quotas>,
    /// What decides in this process while the server does not.
    local: Mutex<Option<Arc<dyn JointStore>>>,
    /// How many processes are taken to share its quota, when each decides in the server's place.
    workers: u32,
    names: KeyNames,
    timeout: Duration,
    on_error: OnError,
    remembered: Option<DenialCache>,
    uncharged: Uncharged,
    receipts: Receipts,
    /// Of permits only.
    leases: Option<Leases>,
    counts: Counts,
    /// When it was last told that the server does not decide, and that it does not renew; 0 for
    /// never.
    told_at: [AtomicU64; 2],
}

/// One verb of a limiter on its way.
struct Call {
    verb: Verb,
    cost: u32,
    /// As the caller named it.
    key: Box<[u8]>,
    /// Of permits: whose.
    holders: Holders,
    made_at: Instant,
    /// The quota in force then, or the one that the call gave.
    quota: Arc<EncodedQuota>,
    /// What the limiter had heard of refunds and resets then.
    epoch: u64,
    /// How many calls there had been.
    number: u64,
    /// Of a refund: what it redeems, if anything.
    receipt: Option<Receipt>,
    /// The server's time, once it has told it; else 0.
    told: AtomicU64,
    limit: Arc<RedisLimiter>,
}

impl Work for Call {
    fn name(&self) -> Vec<u8> {
        self.limit.names.name(&self.key)
    }

    fn command(&self, by_text: bool) -> Cmd {
        let leases = self.limit.leases.as_ref();
        let ids = leases.map_or_else(Vec::new, |leases| leases.ids(&self.holders));
        let told = Some(self.told.load(Relaxed)).filter(|&time| time > 0);
        let redeemed = self.receipt.as_ref().and_then(|receipt| {
            let (name, quota) = (self.name(), &self.quota);
            quota.redemption(&name, receipt, self.cost, told, by_text)
        });
        if let Some(redemption) = redeemed {
            return redemption;
        }
        self.quota
            .command(self.verb, &self.name(), self.cost, &ids, told, by_text)
    }

    fn is_put_right(&self, reply: &Value) -> bool {
        let time = self.quota.outside(reply);
        self.told.store(time.unwrap_or(0), Relaxed);
        time.is_some()
    }

    fn settle(&self, said: Result<Value, Failure>) -> Answer {
        self.limit.settle(self, said).map(Reply::Decision)
    }
}

impl RedisLimiter {
    /// A limiter, of whose quota each of so many processes has a share.
    #[must_use]
    pub fn new(
        quota: EncodedQuota,
        local: Option<Arc<dyn JointStore>>,
        workers: u32,
        names: KeyNames,
        timeout: Duration,
        on_error: OnError,
        remember: bool,
    ) -> Self {
        let lease = Duration::from_micros(quota.window());
        // A permit may be given back at any time, wherever it is held.
        let remember = remember && !quota.are_permits();
        Self {
            leases: quota.are_permits().then(|| Leases::new(lease)),
            quotas: Mutex::new(Quotas::new(quota)),
            local: Mutex::new(local),
            workers,
            names,
            timeout,
            on_error,
            remembered: remember.then(DenialCache::default),
            uncharged: Uncharged::default(),
            receipts: Receipts::default(),
            counts: Counts::default(),
            told_at: Default::default(),
        }
    }

    /// The quota in force.
    #[must_use]
    pub fn quota(&self) -> Arc<EncodedQuota> {
        Arc::clone(locked_now(&self.quotas).own())
    }

    /// The quota that decides a call which gives one: another amount of the same.
    ///
    /// # Errors
    /// When more than the amount differs from the quota in force.
    pub fn quota_given(&self, quota: &Quota) -> error::Result<Arc<EncodedQuota>> {
        locked_now(&self.quotas).given(quota)
    }

    /// Whether any call ever gave a quota of its own.
    #[must_use]
    pub fn was_given_quotas(&self) -> bool {
        locked_now(&self.quotas).were_given()
    }

    /// Change the quota. The server's state stays.
    pub fn set_quota(&self, quota: EncodedQuota, local: Option<Arc<dyn JointStore>>) {
        locked_now(&self.quotas).replace(quota);
        *locked_now(&self.local) = local;
        if let Some(remembered) = &self.remembered {
            remembered.clear();
        }
    }

    /// What decides in this process while the server does not.
    #[must_use]
    pub fn local(&self) -> Option<Arc<dyn JointStore>> {
        locked_now(&self.local).clone()
    }

    /// What its keys begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.names.prefix()
    }

    /// Within so long a call is to be answered.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What decides when the server does not.
    #[must_use]
    pub fn on_error(&self) -> OnError {
        self.on_error
    }

    /// A call that fits the quota, to be sent.
    ///
    /// # Errors
    /// None, but a remembered refusal if the server need not be asked.
    pub fn call(
        self: &Arc<Self>,
        quota: Arc<EncodedQuota>,
        verb: Verb,
        key: Vec<u8>,
        cost: u32,
        holders: Holders,
    ) -> Result<Request, Decision> {
        self.begin(quota, verb, key, cost, holders, None)
    }

    fn begin(
        self: &Arc<Self>,
        quota: Arc<EncodedQuota>,
        verb: Verb,
        key: Vec<u8>,
        cost: u32,
        holders: Holders,
        receipt: Option<Receipt>,
    ) -> Result<Request, Decision> {
        let made_at = Instant::now();
        if verb == Verb::Reset {
            self.forget(&key);
        }
        let mut epoch = 0;
        if let Some(remembered) = &self.remembered {
            match verb {
                Verb::Check => {
                    if let Some(refusal) = remembered.refusal(&key, cost, &quota, made_at) {
                        self.counts.refused.fetch_add(1, Relaxed);
                        self.counts.remembered.fetch_add(1, Relaxed);
                        return Err(refusal);
                    }
                }
                Verb::Refund => remembered.forget(&key),
                _ => {}
            }
            epoch = remembered.epoch();
        }
        let call = Call {
            verb,
            cost,
            key: key.into_boxed_slice(),
            holders,
            made_at,
            quota,
            epoch,
            number: self.receipts.next_call(),
            receipt,
            told: AtomicU64::new(0),
            limit: Arc::clone(self),
        };
        Ok(Request::new(call, self.timeout))
    }

    /// Turn the server's reply, or its failure, into the call's answer.
    fn settle(&self, call: &Call, said: Result<Value, Failure>) -> Result<Decision, Failure> {
        let decided = said.and_then(|reply| {
            let (quota, now) = (&call.quota, unix_now());
            let decision = quota.decision(call.verb, call.cost, &reply, now)?;
            if let Some(leases) = &self.leases
                && decision.allowed
            {
                leases.hear(call.verb, &call.key, &call.holders, call.made_at, &reply);
            }
            Ok(decision)
        });
        let answer = match decided {
            Ok(decision) => {
                self.note(call, &decision);
                Ok(self.signed(call, decision))
            }
            Err(failure) => self.stand_in(call, failure),
        };
        if let (Verb::Check, Ok(decision)) = (call.verb, &answer) {
            let counts = &self.counts;
            let count = if decision.allowed {
                &counts.admitted
            } else {
                &counts.refused
            };
            count.fetch_add(1, Relaxed);
        }
        answer
    }

    /// The server has decided: keep the stand-in warm, and remember a refusal.
    fn note(&self, call: &Call, decision: &Decision) {
        if let Some(local) = &*locked_now(&self.local) {
            let key = local.fingerprint(&call.key);
            // Whatever it answers: it only has to have seen what was admitted.
            match call.verb {
                Verb::Check if decision.allowed => {
                    let share = call.quota.share_of_given(self.workers);
                    let ask = ask_here(&**local, &call.key, call.cost, share.as_ref());
                    let _ = local.is_allowed(ask, None, Patience::Wait);
                }
                Verb::Anyway => {
                    let share = call.quota.share_of_given(self.workers);
                    let quota = share.as_ref();
                    let ask = Ask {
                        quota,
                        ..Ask::new(key, call.cost)
                    };
                    let _ = local.spend_anyway(ask, Patience::Wait);
                }
                Verb::Refund => {
                    let _ = refund_here(&**local, &call.key, call.cost, Patience::Wait);
                }
                Verb::Reset => {
                    let _ = local.reset(key, Patience::Wait);
                }
                _ => {}
            }
        }
        if call.verb == Verb::Reset {
            self.receipts.forget(&call.key);
        }
        if let Some(remembered) = &self.remembered {
            match call.verb {
                Verb::Check if !decision.allowed => {
                    let (key, quota) = (&call.key, &call.quota);
                    remembered.keep(key, call.cost, quota, decision, call.made_at, call.epoch);
                }
                // It told what was left before this was spent.
                Verb::Check | Verb::Anyway => remembered.outdated(&call.key),
                // Again: what was decided meanwhile may have come first.
                Verb::Refund | Verb::Reset => remembered.forget(&call.key),
                _ => {}
            }
        }
    }

    /// Counts since the limiter was made.
    #[must_use]
    pub fn statistics(&self) -> RedisStatistics {
        self.counts.read()
    }
}
