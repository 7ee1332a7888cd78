//! What a gate's calls on their way share with it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::decision::Decision;
use crate::gate::Verdict;
use crate::store::redis::{Counts, OnError, RedisLimiter, Verb};

/// A limit of a gate in Redis.
pub struct RedisLimit {
    /// Its quota, the names of its keys, and what is known of them here. In a Cluster, those of a gate
    /// name all keys of a call so that they are on one node.
    pub limiter: Arc<RedisLimiter>,
    /// Whether it only watches: it refuses nobody, and counts whom it would have refused.
    pub is_shadow: bool,
}

pub(super) struct Shared {
    pub(super) limits: Box<[RedisLimit]>,
    pub(super) on_error: OnError,
    pub(super) counts: Arc<Counts>,
}

impl Shared {
    /// What comes of the decisions of a call; places are those among them.
    pub(super) fn verdict(&self, decisions: &[(usize, Decision)]) -> Verdict {
        let decisions = decisions.iter().enumerate();
        let enforced = decisions.filter(|(_, (limit, _))| !self.limits[*limit].is_shadow);
        Verdict::of(enforced.map(|(place, (_, decision))| (place, decision)))
    }

    pub(super) fn count(&self, verb: Verb, allowed: bool) {
        if verb == Verb::Check {
            let counts = &self.counts;
            let count = if allowed {
                &counts.admitted
            } else {
                &counts.refused
            };
            count.fetch_add(1, Relaxed);
        }
    }
}
