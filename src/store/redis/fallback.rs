//! The limiters in this process that stand in for a server, kept between limiters.
//!
//! A program may make a limiter for every request; its stand-in has to know the last ones.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, LazyLock, Mutex};

use super::server::Settings;
use crate::algorithm::AnyAlgorithm;
use crate::clock::{Clock, Ticks};
use crate::quota::{Calendar, Quota};
use crate::store::fork::locked_now;
use crate::store::{self, Ask, JointStore, Options, Overflow, Patience, Stop, Store, in_memory};

/// Keys that a stand-in holds at most.
const MOST_KEYS: usize = 1_000_000;
/// At this many, those that no limiter uses are dropped.
const MANY: usize = 256;

/// Which limiters share one: those that share a server, a prefix and a quota.
#[derive(PartialEq, Eq, Hash)]
struct Name {
    settings: Settings,
    prefix: String,
    kind: Discriminant<AnyAlgorithm>,
    quota: (u32, Ticks, Option<Calendar>),
}

static STAND_INS: LazyLock<Mutex<HashMap<Name, Arc<dyn JointStore>>>> =
    LazyLock::new(Mutex::default);

/// The stand-in for a `share` of a quota. It is the one `before`, which has seen what was spent,
/// with another quota, unless other limiters use that one, or already one for this quota.
#[must_use]
pub fn stand_in(
    settings: &Settings,
    prefix: &str,
    share: AnyAlgorithm,
    before: Option<Arc<dyn JointStore>>,
) -> Arc<dyn JointStore> {
    let name = Name {
        settings: settings.clone(),
        prefix: prefix.to_owned(),
        kind: discriminant(&share),
        quota: (share.limit(), share.window(), share.calendar().cloned()),
    };
    let mut stand_ins = locked_now(&STAND_INS);
    let is_used = |store: &Arc<dyn JointStore>| Arc::strong_count(store) > 1;
    if let Some(store) = stand_ins.get(&name)
        && (before.is_none() || is_used(store))
    {
        return Arc::clone(store);
    }
    if stand_ins.len() >= MANY {
        stand_ins.retain(|_, store| is_used(store));
    }
    // Here, in the limiter, and in the hands of who changes its quota.
    let ours = before.filter(|before| Arc::strong_count(before) <= 3);
    let store = if let Some(before) = ours {
        stand_ins.retain(|_, store| !Arc::ptr_eq(store, &before));
        before.set_quota(share);
        before
    } else {
        let options = Options {
            max_keys: MOST_KEYS,
            overflow: Overflow::Share,
            clock: Clock::system(),
        };
        in_memory(share, options)
    };
    stand_ins.insert(name, Arc::clone(&store));
    store
}

/// What the stand-in is asked in the server's place: by its share of the quota that the call gave.
pub(super) fn ask_here<'a>(
    local: &dyn Store,
    key: &[u8],
    cost: u32,
    share: Option<&'a Quota>,
) -> Ask<'a> {
    let limit = share.and_then(Quota::limit).unwrap_or(local.limit());
    Ask {
        key: local.fingerprint(key),
        cost: cost.min(limit),
        quota: share,
    }
}

/// What was spent by a quota of one key may be more than the stand-in's own allows at once.
pub(super) fn refund_here(
    local: &dyn Store,
    key: &[u8],
    units: u32,
    patience: Patience,
) -> store::Result<()> {
    let key = local.fingerprint(key);
    match local.refund(key, units, patience) {
        Err(Stop::Invalid(_)) => local.refund(key, local.limit(), patience),
        done => done,
    }
}
