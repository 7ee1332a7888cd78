//! The gate against one model a limit: all admit and spend, or nothing is spent anywhere.

mod forks;
mod full;
mod lock_order;
mod oracle;
mod refusals;
mod threads;
mod waiting;
#[cfg(all(feature = "zone", target_os = "linux"))]
mod zone;

use std::sync::Arc;

use super::*;
use crate::algorithm::{
    Algorithm, FixedWindow, Permits, SegmentedWindow, SlidingCounter, SlidingLog, TokenBucket,
};
use crate::clock::{Clock, ManualClock, SECOND};
use crate::quota::Quota;
use crate::store::{JointStore, MemoryStore, Options, Overflow, Patience, Stop};

fn store<A: Algorithm>(
    algorithm: &A,
    clock: &Arc<ManualClock>,
    max_keys: usize,
) -> Arc<MemoryStore<A>> {
    let options = Options {
        max_keys,
        overflow: Overflow::Share,
        clock: Clock::Manual(Arc::clone(clock)),
    };
    MemoryStore::new(algorithm, options)
}

fn log(limit: u32, seconds: u64) -> SlidingLog {
    SlidingLog {
        limit,
        window: seconds * SECOND,
    }
}

fn bucket(capacity: u32, rate: f64) -> TokenBucket {
    TokenBucket::new(capacity, rate, capacity, 0).expect("valid")
}

fn fixed(limit: u32, seconds: u64) -> FixedWindow {
    FixedWindow::new(limit, seconds * SECOND)
}

/// A limit in force.
fn limit(store: &Arc<impl JointStore + 'static>) -> Limit {
    Limit {
        store: Arc::clone(store) as Arc<dyn JointStore>,
        is_shadow: false,
    }
}

/// The same, which only watches.
fn shadow(store: &Arc<impl JointStore + 'static>) -> Limit {
    Limit {
        is_shadow: true,
        ..limit(store)
    }
}

fn gate(limits: Vec<Limit>) -> MemoryGate {
    MemoryGate::new(limits).unwrap_or_else(|error| panic!("{error}"))
}

/// A question to each of these limits, by their names' keys.
fn asks<'a>(gate: &MemoryGate, keys: &[(usize, &str, u32)]) -> Vec<LimitAsk<'a>> {
    let ask = |&(limit, name, cost): &(usize, &str, u32)| {
        let key = gate.fingerprint(name.as_bytes());
        LimitAsk::new(limit, Ask::new(key, cost))
    };
    keys.iter().map(ask).collect()
}

fn check(gate: &MemoryGate, keys: &[(usize, &str, u32)]) -> Verdict {
    gate.check(&mut asks(gate, keys), Patience::Wait)
        .expect("valid")
}

fn remaining(store: &impl JointStore, name: &str) -> u32 {
    let ask = Ask::new(store.fingerprint(name.as_bytes()), 1);
    store.peek(ask, Patience::Wait).expect("valid").remaining
}
