//! A gate whose limits are kept in Redis: one script and one round trip a decision.

mod call;
mod instead;
mod shared;

use std::any::Any;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::MOST_LIMITS;
use crate::decision::Decision;
use crate::error::{Error, Result};
use crate::store::redis::{Counts, EncodedQuota, GATE, Holders, Part, Request, Several, Verb};
use call::Call;
use shared::Shared;

pub use shared::RedisLimit;

/// What one limit is asked in a call.
pub struct RedisAsk {
    /// Which limit of the gate, by its place there.
    pub limit: usize,
    /// The key, as the caller names it.
    pub key: Vec<u8>,
    /// Units. Above the limit only of one that watches, and of what is spent anyway.
    pub cost: u32,
    /// By which quota, if it is not the limit's own.
    pub quota: Option<Arc<EncodedQuota>>,
    /// Of permits: whose.
    pub holders: Holders,
}

/// Several limits in Redis, with one decision.
pub struct RedisGate {
    shared: Arc<Shared>,
    timeout: Duration,
}

impl RedisGate {
    /// A gate of these limits, whose calls add to these counts. Its deadline and what decides when the server does not are theirs.
    ///
    /// # Errors
    /// When there are none, when two of them name their keys alike, and when they differ in what to do
    /// without a server.
    pub fn new(limits: Vec<RedisLimit>, counts: Arc<Counts>) -> Result<Self> {
        let Some(first) = limits.first() else {
            return Err(Error::out_of_range("limits", &"none", "at least one limit"));
        };
        let (timeout, on_error) = (first.limiter.timeout(), first.limiter.on_error());
        for (place, limit) in limits.iter().enumerate() {
            let prefix = limit.limiter.prefix();
            if limits[..place]
                .iter()
                .any(|other| other.limiter.prefix() == prefix)
            {
                let range = "limits whose keys begin each with a prefix of its own";
                return Err(Error::out_of_range("limits", &prefix, range));
            }
            if (limit.limiter.timeout(), limit.limiter.on_error()) != (timeout, on_error) {
                let range = "limits with one timeout and one on_error";
                return Err(Error::out_of_range("limits", &prefix, range));
            }
        }
        LazyLock::force(&GATE); // so that servers that are connected from now on get to know it
        let shared = Arc::new(Shared {
            limits: limits.into(),
            on_error,
            counts,
        });
        Ok(Self { shared, timeout })
    }

    /// The limits, in the order in which they were given.
    #[must_use]
    pub fn limits(&self) -> &[RedisLimit] {
        &self.shared.limits
    }

    /// A call, to be sent: to check, to peek, to reset, or to spend anyway. Its answer is a
    /// [`Reply::Several`](crate::store::redis::Reply::Several) with this `context`, of all limits that are
    /// asked.
    ///
    /// # Errors
    /// Invalid questions, as [`MemoryGate::check`](super::MemoryGate::check) has them. Within: what is
    /// known to be refused, so that the server need not be asked; only of the limits of which it is known.
    pub fn call(
        &self,
        verb: Verb,
        asks: Vec<RedisAsk>,
        context: Arc<dyn Any + Send + Sync>,
    ) -> Result<std::result::Result<Request, Several>> {
        let parts = self.parts(verb, asks)?;
        let remembered = |(limit, part): &(usize, Part)| Some((*limit, part.remembered()?));
        let decisions: Vec<_> = parts.iter().filter_map(remembered).collect();
        if !decisions.is_empty() || parts.is_empty() {
            self.count_remembered(verb, &parts, &decisions);
            return Ok(Err(Several { decisions, context }));
        }
        let call = Call {
            gate: Arc::clone(&self.shared),
            verb,
            parts,
            context,
        };
        Ok(Ok(Request::new(call, self.timeout)))
    }

    fn parts(&self, verb: Verb, asks: Vec<RedisAsk>) -> Result<Vec<(usize, Part)>> {
        if asks.len() > MOST_LIMITS && verb != Verb::Reset {
            let range = "at most 32 in one decision";
            return Err(Error::out_of_range("limits", &asks.len(), range));
        }
        let mut parts: Vec<(usize, Part)> = Vec::with_capacity(asks.len());
        for ask in asks {
            let Some(RedisLimit { limiter, is_shadow }) = self.limits().get(ask.limit) else {
                let range = format!("one of the gate's {}", self.limits().len());
                return Err(Error::out_of_range("limit", &ask.limit, range));
            };
            if parts.iter().any(|(limit, _)| *limit == ask.limit) {
                return Err(Error::out_of_range(
                    "limit",
                    &ask.limit,
                    "asked once in a call",
                ));
            }
            let quota = ask.quota.unwrap_or_else(|| limiter.quota());
            if matches!(verb, Verb::Check | Verb::Peek) && !is_shadow {
                quota.fits(ask.cost)?;
            }
            let part = limiter.part(quota, verb, &ask.key, ask.cost, ask.holders, *is_shadow);
            parts.push((ask.limit, part));
        }
        Ok(parts)
    }

    /// What is counted of its calls.
    #[must_use]
    pub fn counts(&self) -> &Arc<Counts> {
        &self.shared.counts
    }

    fn count_remembered(
        &self,
        verb: Verb,
        parts: &[(usize, Part)],
        refusals: &[(usize, Decision)],
    ) {
        self.shared.count(verb, refusals.is_empty());
        for (limit, part) in parts {
            if refusals.iter().any(|(refusing, _)| refusing == limit) {
                part.count_remembered();
            }
        }
        if !refusals.is_empty() {
            self.shared.counts.remembered.fetch_add(1, Relaxed);
        }
    }
}
