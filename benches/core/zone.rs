//! A counter in a zone, packed as fixed windows are: what the table costs, without a limiter around it.

use std::sync::Arc;

use sluicegate::clock::{SECOND, Ticks};
use sluicegate::store::zone::{Kind, LimitId, Place, Seen, Wanted, Zone};

pub(super) const WINDOW: Ticks = 3_600 * SECOND;

pub(super) struct Counter {
    zone: Arc<Zone>,
    id: LimitId,
    limit: u32,
}

impl Counter {
    pub(super) fn new(limit: u32) -> Self {
        let name = format!("sluicegate-bench-{}-{limit}", std::process::id());
        let path = std::path::Path::new("/dev/shm").join(name);
        let zone = Zone::open(&Place::at(&path)).expect("a new zone");
        // It lives on until it is unmapped.
        std::fs::remove_file(&path).expect("just made");
        let wanted = Wanted {
            name: "bench",
            kind: Kind::FixedWindow,
            window: WINDOW,
            bits: 0,
        };
        let id = zone.limit(&wanted).expect("the first one").id;
        Self { zone, id, limit }
    }

    pub(super) fn is_allowed(&mut self, key: &[u8]) -> bool {
        let now = self.zone.now();
        let key = self.zone.hasher().fingerprint(key);
        let limit = self.limit;
        let clock = || self.zone.now();
        let spend = |seen: &Seen| spend(seen, limit);
        self.zone.update(self.id, key, now, &clock, spend).result
    }
}

fn spend(seen: &Seen, limit: u32) -> (Option<u128>, bool) {
    let (end, used) = (
        (seen.found.payload >> 56) as Ticks,
        (seen.found.payload >> 24) as u32,
    );
    let is_over = seen.now >= end;
    let end = if is_over {
        (seen.now / WINDOW + 1) * WINDOW
    } else {
        end
    };
    let used = if is_over { 0 } else { used };
    if used >= limit {
        return (None, false);
    }
    let payload = u128::from(end) << 56 | u128::from(used + 1) << 24;
    (Some(payload), true)
}
