//! A decision in the core alone, without Python: `cargo bench --no-default-features`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sluicegate::algorithm::{
    Algorithm, FixedWindow, SegmentedWindow, SlidingCounter, SlidingLog, TokenBucket,
};
use sluicegate::clock::{Clock, SECOND};
use sluicegate::store::{Ask, MemoryStore, Options, Overflow, Patience, Store};

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

criterion_group!(benches, all);
criterion_main!(benches);
