//! A limiter of a zone and the same one in memory, on the same traces.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::Scratch;
use crate::algorithm::{AnyAlgorithm, TokenBucket};
use crate::clock::{Clock, ManualClock, SECOND, Ticks};
use crate::decision::Decision;
use crate::quota::Quota;
use crate::store::zone::{Zone, ZoneLimiter, in_zone};
use crate::store::{Ask, JointStore, Options, Overflow, Patience, Queues, Store, in_memory};

/// What is done, to which of a few keys, after so long.
#[derive(Debug, Clone)]
struct Step {
    gap: Ticks,
    key: usize,
    cost: u32,
    act: u8,
}

struct Both {
    clock: Arc<ManualClock>,
    zone: Arc<dyn ZoneLimiter>,
    memory: Arc<dyn JointStore>,
    /// Of both, by key.
    receipts: Vec<(usize, Decision, Decision)>,
}

fn told(decision: &Decision) -> (bool, u32, u32, Ticks, Ticks, Ticks) {
    (
        decision.allowed,
        decision.limit,
        decision.remaining,
        decision.retry_after,
        decision.reset_after,
        decision.at,
    )
}

impl Both {
    fn new(zone: &Arc<Zone>, quota: &AnyAlgorithm) -> Self {
        let clock = Arc::new(ManualClock::new(1_795_000_000 * SECOND));
        let options = Options {
            max_keys: 1_000,
            overflow: Overflow::Share,
            clock: Clock::Manual(Arc::clone(&clock)),
        };
        let manual = Some(Arc::clone(&clock));
        let shared = in_zone(Arc::clone(zone), "one", quota, None, manual).expect("fits");
        shared.clear();
        Self {
            clock,
            zone: shared,
            memory: in_memory(quota.clone(), options),
            receipts: Vec::new(),
        }
    }

    /// The same question to both: what they say.
    fn ask<T>(
        &self,
        key: usize,
        ask: impl Fn(&dyn Queues, crate::store::Fingerprint) -> T,
    ) -> (T, T) {
        let name = format!("key {key}");
        let (zone, memory): (&dyn Queues, &dyn Queues) = (&*self.zone, &*self.memory);
        let of = |store: &dyn Queues| ask(store, store.fingerprint(name.as_bytes()));
        (of(zone), of(memory))
    }

    fn step(&mut self, step: &Step, other: &Quota) -> std::result::Result<(), TestCaseError> {
        self.clock.advance(step.gap);
        let wait = Patience::Wait;
        let cost = step.cost.min(Store::limit(&*self.zone));
        match step.act {
            0..=4 => {
                let (zone, memory) = self.ask(step.key, |store, key| {
                    store.check(Ask::new(key, cost), None, wait)
                });
                let (zone, memory) = (zone.expect("fits"), memory.expect("fits"));
                prop_assert_eq!(told(&zone), told(&memory));
                if zone.allowed {
                    self.receipts.push((step.key, zone, memory));
                }
            }
            5 => {
                let (zone, memory) = self.ask(step.key, |store, key| {
                    store.is_allowed(Ask::new(key, cost), None, wait)
                });
                prop_assert_eq!(zone, memory);
            }
            6 => {
                let (zone, memory) = self.ask(step.key, |store, key| store.refund(key, cost, wait));
                prop_assert_eq!(zone, memory);
            }
            7 if !self.receipts.is_empty() => {
                let (key, zone, memory) = self
                    .receipts
                    .swap_remove(step.cost as usize % self.receipts.len());
                let units = cost.min(zone.receipt.cost);
                let receipts = (zone.receipt, memory.receipt);
                let (zone, memory) = self.ask(key, |store, key| {
                    let receipt = if store.is_mine(&receipts.0) {
                        &receipts.0
                    } else {
                        &receipts.1
                    };
                    store.refund_spend(key, receipt, units, wait)
                });
                prop_assert_eq!(zone, memory);
            }
            8 if step.cost == 1 => {
                let (zone, memory) = self.ask(step.key, |store, key| store.reset(key, wait));
                prop_assert_eq!(zone, memory);
            }
            9 => {
                let ask = |key| Ask {
                    key,
                    cost: 1,
                    quota: Some(other),
                };
                let (zone, memory) =
                    self.ask(step.key, |store, key| store.check(ask(key), None, wait));
                prop_assert_eq!(told(&zone.expect("fits")), told(&memory.expect("fits")));
            }
            _ => {}
        }
        let (zone, memory) = self.ask(step.key, |store, key| store.peek(Ask::new(key, 1), wait));
        prop_assert_eq!(told(&zone.expect("fits")), told(&memory.expect("fits")));
        let (zone, memory) = self.ask(step.key, |store, key| store.first_free_at(key, wait));
        prop_assert_eq!(zone, memory);
        Ok(())
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![
        Just(0),
        Just(1),
        0..2 * SECOND,
        Just(5 * SECOND),
        0..20 * SECOND
    ];
    let step = (gap, 0..3_usize, 1..6_u32, 0..10_u8);
    let step = step.prop_map(|(gap, key, cost, act)| Step {
        gap,
        key,
        cost,
        act,
    });
    prop::collection::vec(step, 1..60)
}

fn run(
    name: &str,
    limit: u32,
    other: &str,
) -> impl Fn(Vec<Step>) -> std::result::Result<(), TestCaseError> {
    let scratch = Scratch::new();
    let zone = Zone::open(&scratch.place(1 << 20)).expect("opens");
    let quota = AnyAlgorithm::named(name, limit, 5 * SECOND).unwrap_or_else(|| {
        // A token takes 1.25 s, of which nothing is rounded.
        AnyAlgorithm::TokenBucket(TokenBucket::new(limit, 0.8, limit, 0).expect("valid"))
    });
    let other: Quota = other.parse().expect("a quota");
    move |steps| {
        let _scratch = &scratch;
        let mut both = Both::new(&zone, &quota);
        steps.iter().try_for_each(|step| both.step(step, &other))
    }
}

fn check(name: &str, other: &str, keep: impl Fn(&Step) -> bool) {
    let act = run(name, 5, other);
    let mut runner = proptest::test_runner::TestRunner::new(Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    });
    let done = runner.run(&steps(), |steps| {
        act(steps.into_iter().filter(&keep).collect())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_fixed_window_decides_as_in_memory() {
    check("fixed_window", "9/5 s", |_| true);
}

#[test]
fn a_sliding_counter_decides_as_in_memory() {
    check("sliding_counter", "3/5 s", |_| true);
}

/// But for other rates, and for what several refunds by receipt have to know of one another.
#[test]
fn a_bucket_decides_as_in_memory() {
    check("bucket", "4/5 s burst 5", |step| {
        step.act != 9 && step.act != 7
    });
}
