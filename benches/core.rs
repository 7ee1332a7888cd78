//! A decision in the core alone, without Python: `cargo bench --no-default-features`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sluicegate::algorithm::{
    Algorithm, FixedWindow, SegmentedWindow, SlidingCounter, SlidingLog, TokenBucket,
};
use sluicegate::clock::{Clock, SECOND};
use sluicegate::gate::{Limit, LimitAsk, MemoryGate};
use sluicegate::store::{Ask, JointStore, MemoryStore, Options, Overflow, Patience, Store};

fn store<A: Algorithm>(rule: &A) -> std::sync::Arc<MemoryStore<A>> {
    let options = Options {
        max_keys: 1_000_000,
        overflow: Overflow::Share,
        clock: Clock::system(),
    };
    MemoryStore::new(rule, options)
}

fn hot_key<A: Algorithm>(criterion: &mut Criterion, name: &str, rule: &A) {
    let store = store(rule);
    criterion.bench_function(&format!("{name}: is_allowed"), |bencher| {
        bencher.iter(|| {
            let key = store.fingerprint(black_box(b"203.0.113.7"));
            store.is_allowed(Ask::new(key, 1), None, Patience::Try)
        });
    });
    criterion.bench_function(&format!("{name}: check"), |bencher| {
        bencher.iter(|| {
            let key = store.fingerprint(black_box(b"203.0.113.7"));
            store.check(Ask::new(key, 1), None, Patience::Try)
        });
    });
}

/// Three limits that admit every call, as one decision and as three.
fn three_limits(criterion: &mut Criterion) {
    let limit = 2_000_000_000;
    let bucket = TokenBucket::new(1_000_000, 1e9, 1_000_000, 0).expect("within the ranges");
    let stores: [std::sync::Arc<dyn JointStore>; 3] = [
        store(&FixedWindow::new(limit, 60 * SECOND)),
        store(&SegmentedWindow::new(limit, 60 * SECOND)),
        store(&bucket),
    ];
    let limits = stores.iter().map(|store| Limit {
        store: std::sync::Arc::clone(store),
        is_shadow: false,
    });
    let gate = MemoryGate::new(limits.collect()).expect("different stores");
    let keys: [&[u8]; 3] = [b"203.0.113.7", b"organisation 1", b"a model's name"];
    for (name, keys) in [("one key", [keys[0]; 3]), ("three keys", keys)] {
        criterion.bench_function(&format!("three single checks, {name}"), |bencher| {
            bencher.iter(|| {
                let check = |place: usize| {
                    let key = stores[place].fingerprint(black_box(keys[place]));
                    stores[place].check(Ask::new(key, 1), None, Patience::Try)
                };
                [check(0), check(1), check(2)]
            });
        });
    }
    criterion.bench_function("gate of three, one key", |bencher| {
        bencher.iter(|| {
            let ask = Ask::new(gate.fingerprint(black_box(keys[0])), 1);
            let mut asks = [0, 1, 2].map(|limit| LimitAsk::new(limit, ask));
            let verdict = gate.check(&mut asks, Patience::Try);
            (verdict, asks.map(|ask| ask.decision))
        });
    });
    criterion.bench_function("gate of three, three keys", |bencher| {
        bencher.iter(|| {
            let mut asks = [0, 1, 2].map(|limit| {
                let key = gate.fingerprint(black_box(keys[limit]));
                LimitAsk::new(limit, Ask::new(key, 1))
            });
            let verdict = gate.check(&mut asks, Patience::Try);
            (verdict, asks.map(|ask| ask.decision))
        });
    });
}

/// The same spend in memory and in a zone, of one key and of 100,000, admitted and refused.
#[cfg(all(feature = "zone", target_os = "linux"))]
fn beside_a_zone(criterion: &mut Criterion) {
    for (name, keys) in [("1 key", 1), ("100,000 keys", 100_000)] {
        for (answer, limit) in [("admit", u32::MAX), ("refuse", 1)] {
            let mut zone = zone::Counter::new(limit);
            let memory = store(&FixedWindow::new(limit, zone::WINDOW));
            let mut number = 0_u64;
            let mut next = move || {
                number = (number + 1) % keys;
                number.to_le_bytes()
            };
            criterion.bench_function(&format!("memory, {name}: {answer}"), |bencher| {
                bencher.iter(|| {
                    let key = memory.fingerprint(black_box(&next()));
                    memory.is_allowed(Ask::new(key, 1), None, Patience::Try)
                });
            });
            criterion.bench_function(&format!("zone, {name}: {answer}"), |bencher| {
                bencher.iter(|| zone.is_allowed(black_box(&next())));
            });
        }
    }
}

#[cfg(not(all(feature = "zone", target_os = "linux")))]
fn beside_a_zone(_: &mut Criterion) {}

#[cfg(all(feature = "zone", target_os = "linux"))]
#[path = "core/zone.rs"]
mod zone;

fn all(criterion: &mut Criterion) {
    let (limit, window) = (1_000, SECOND / 100);
    hot_key(criterion, "fixed window", &FixedWindow::new(limit, window));
    let segments = SegmentedWindow::new(limit, window);
    hot_key(criterion, "segments", &segments);
    hot_key(criterion, "sliding log", &SlidingLog { limit, window });
    hot_key(
        criterion,
        "sliding counter",
        &SlidingCounter { limit, window },
    );
    let bucket = TokenBucket::new(limit, 1e5, limit, 0).expect("within the ranges");
    hot_key(criterion, "token bucket", &bucket);
    criterion.bench_function("fingerprint of 11 bytes", |bencher| {
        let store = store(&bucket);
        bencher.iter(|| store.fingerprint(black_box(b"203.0.113.7")));
    });
    criterion.bench_function("a clock read", |bencher| {
        let clock = Clock::system();
        bencher.iter(|| clock.now());
    });
}

criterion_group!(benches, all, three_limits, beside_a_zone);
criterion_main!(benches);
