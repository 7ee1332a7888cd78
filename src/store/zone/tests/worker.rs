//! A process that asks for keys until it is told to stop, or killed.
//!
//! The test binary runs itself with the name of the one test in here.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use super::oracle::{Oracle, Shape, WINDOW};
use crate::clock::Ticks;
use crate::store::zone::{Kind, LimitId, Place, Seen, Updated, Wanted, Zone};

const TEST: &str = "store::zone::tests::worker::work";
const VARIABLE: &str = "SLUICEGATE_ZONE_WORKER";

/// What all workers of a test share.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    pub(super) directory: PathBuf,
    pub(super) shape: Shape,
    /// Variables for the faults of a test build.
    pub(super) faults: Vec<(&'static str, String)>,
}

impl Orders {
    pub(super) fn oracle(&self) -> Oracle {
        Oracle::open(&self.directory.join("oracle"), self.shape)
    }

    pub(super) fn zone(&self) -> Arc<Zone> {
        Zone::open(&Place::at(self.directory.join("limits.zone"))).expect("made by the parent")
    }

    pub(super) fn start(&self, worker: usize) -> Child {
        let Shape {
            keys,
            epochs,
            limit,
            rounds,
        } = self.shape;
        let directory = self.directory.display();
        let orders = format!("{worker} {keys} {epochs} {limit} {rounds} {directory}");
        Command::new(std::env::current_exe().expect("a test binary"))
            .args([TEST, "--exact", "--ignored", "--test-threads=1"])
            .env(VARIABLE, orders)
            .envs(self.faults.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("another process")
    }
}

#[test]
#[ignore = "a process of other tests"]
fn work() {
    let Ok(orders) = std::env::var(VARIABLE) else {
        return;
    };
    let parts: Vec<_> = orders.splitn(6, ' ').collect();
    let number = |place: usize| parts[place].parse::<usize>().expect("a number");
    let worker = number(0);
    let shape = Shape {
        keys: number(1),
        epochs: number(2),
        limit: number(3) as u32,
        rounds: number(4),
    };
    let directory = parts[5].into();
    let faults = Vec::new();
    let orders = Orders {
        directory,
        shape,
        faults,
    };
    let (zone, oracle) = (orders.zone(), orders.oracle());
    ask(&zone, &oracle, worker);
}

/// All workers ask for the same keys in the same order, from the start of each epoch on.
fn ask(zone: &Zone, oracle: &Oracle, worker: usize) {
    let limit = limit_of(zone);
    let Shape { keys, rounds, .. } = oracle.shape;
    let (mut epoch, mut asked) = (0, 0);
    while !oracle.is_over() {
        if oracle.now() != epoch {
            (epoch, asked) = (oracle.now(), 0);
        } else if asked == rounds * keys && rounds > 0 {
            oracle.jump(epoch);
        }
        let key = asked % keys;
        asked += 1;
        let updated = check(zone, oracle, limit, key);
        let (epoch, admitted) = updated.result;
        let own = (!updated.tenancy.is_overflow()).then_some(key);
        oracle.answered(epoch, own, admitted);
        oracle.beat(worker);
    }
}

/// The limit that all workers count by.
pub(super) fn limit_of(zone: &Zone) -> LimitId {
    let wanted = Wanted {
        name: "per key",
        kind: Kind::FixedWindow,
        window: WINDOW,
        bits: 0,
    };
    zone.limit(&wanted).expect("the only one").id
}

/// Spend one unit of a key, at most the shape's limit a window: in which epoch, and whether it was
/// admitted.
pub(super) fn check(
    zone: &Zone,
    oracle: &Oracle,
    limit: LimitId,
    key: usize,
) -> Updated<(usize, bool)> {
    let key = zone.hasher().fingerprint(&key.to_le_bytes());
    let spend = |seen: &Seen| spend(seen, oracle.shape.limit);
    zone.update(limit, key, oracle.now(), &|| oracle.now(), spend)
}

fn spend(seen: &Seen, limit: u32) -> (Option<u128>, (usize, bool)) {
    let (held_until, count) = unpack(seen.found.payload);
    let end = (seen.now / WINDOW + 1) * WINDOW;
    let count = if held_until < end { 0 } else { count };
    let end = end.max(held_until);
    let epoch = Oracle::epoch(end - 1);
    if count < limit {
        (Some(pack(end, count + 1)), (epoch, true))
    } else {
        (None, (epoch, false))
    }
}

/// As fixed windows are packed.
pub(super) fn pack(end: Ticks, count: u32) -> u128 {
    u128::from(end) << 56 | u128::from(count) << 24
}

fn unpack(payload: u128) -> (Ticks, u32) {
    ((payload >> 56) as Ticks, (payload >> 24) as u32)
}
