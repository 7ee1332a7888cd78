//! Every algorithm against a slow, obvious model, in both directions; and mutants, to show
//! that the comparison can fail.

pub(crate) mod models;
mod mutants;
mod plans;
pub(crate) mod receipts;
mod segments;
pub(crate) mod spends;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{
    Algorithm, FixedWindow, SegmentedWindow, SlidingCounter, SlidingLog, TokenBucket, Verdict,
};
use crate::clock::{SECOND, Ticks};
use models::{BucketModel, CounterModel, FixedModel, LogModel, Model};

/// One step of a trace: time passes, then something is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) gap: Ticks,
    pub(crate) refund: bool,
    pub(crate) cost: u32,
}

/// Steps whose gaps sit on and around the instants that matter to `window` and `interval`.
pub(crate) fn trace(
    limit: u32,
    window: Ticks,
    interval: Ticks,
) -> impl Strategy<Value = Vec<Step>> {
    let around = |t: Ticks| prop_oneof![Just(t.saturating_sub(1)), Just(t), Just(t + 1)];
    let gap = prop_oneof![
        3 => Just(0),
        2 => Just(1),
        3 => around(interval),
        3 => around(window),
        1 => around(2 * window),
        1 => Just(1000 * window),
        3 => 0..=window,
        3 => 0..=interval,
    ];
    let cost = prop_oneof![3 => Just(1_u32), 1 => 1..=limit, 1 => Just(limit)];
    let step = (gap, prop::bool::weighted(0.1), cost).prop_map(|(gap, refund, cost)| Step {
        gap,
        refund,
        cost,
    });
    prop::collection::vec(step, 1..60)
}

/// What goes wrong when `algorithm` and `model` go through the same steps, if anything does.
pub(crate) fn disagreement<A: Algorithm, M: Model>(
    algorithm: &A,
    mut model: M,
    start: Ticks,
    steps: &[Step],
) -> Option<String> {
    let mut state = algorithm.fresh();
    let mut now = start;
    for (index, step) in steps.iter().enumerate() {
        now += step.gap;
        let problem = if step.refund {
            algorithm.refund(&mut state, now, step.cost);
            model.refund(now, step.cost);
            None
        } else {
            call(algorithm, &mut state, &mut model, now, step.cost)
        };
        let problem = problem.or_else(|| report(algorithm, &state, &model, now));
        if let Some(problem) = problem {
            return Some(format!("step {index} at {now}, {step:?}: {problem}"));
        }
    }
    None
}

/// Decisions are the model's, and `wait` is a promise: kept then, and not a tick earlier.
fn call<A: Algorithm, M: Model>(
    algorithm: &A,
    state: &mut A::State,
    model: &mut M,
    now: Ticks,
    cost: u32,
) -> Option<String> {
    let Some(wait) = algorithm.wait(state, now, cost) else {
        return Some("a wait that nobody knows".into());
    };
    let expected = model.fits(now, cost);
    if (wait == 0) != expected {
        return Some(format!("wait is {wait}, the model says {expected}"));
    }
    if wait > 0 && (model.fits(now + wait - 1, cost) || !model.fits(now + wait, cost)) {
        return Some(format!("a wait of {wait} is not the first instant"));
    }
    let allowed = algorithm.admit(state, now, cost);
    if allowed {
        model.spend(now, cost);
    }
    (allowed != expected).then(|| format!("admitted: {allowed}, the model says {expected}"))
}

/// `remaining` is the largest cost that fits, `reset_after` the first instant as good as new.
fn report<A: Algorithm, M: Model>(
    algorithm: &A,
    state: &A::State,
    model: &M,
    now: Ticks,
) -> Option<String> {
    let remaining = algorithm.remaining(state, now);
    if remaining > 0 && !model.fits(now, remaining) {
        return Some(format!("remaining {remaining} does not fit"));
    }
    if remaining < algorithm.limit() && model.fits(now, remaining + 1) {
        return Some(format!("more than remaining {remaining} fits"));
    }
    let reset = algorithm.reset_after(state, now);
    if !model.is_whole(now + reset) || (reset > 0 && model.is_whole(now + reset - 1)) {
        return Some(format!(
            "reset_after {reset} is not the first instant of a whole quota"
        ));
    }
    None
}

/// Starts near 0, today, and far from any window's boundary.
pub(crate) fn starts() -> impl Strategy<Value = Ticks> {
    prop_oneof![
        Just(0),
        1..1_000_u64,
        Just(1_795_000_000 * SECOND),
        0..(1_u64 << 51)
    ]
}

/// Windows on both sides of what 4 bytes can tell apart, and small ones that collide a lot.
fn windows() -> impl Strategy<Value = Ticks> {
    prop_oneof![4 => 1..50_u64, 1 => Just(60 * SECOND), 1 => (1_u64 << 32) - 3..(1 << 32) + 3]
}

pub(crate) fn window_case() -> impl Strategy<Value = (u32, Ticks, Ticks, Vec<Step>)> {
    (1..8_u32, windows(), starts()).prop_flat_map(|(limit, window, start)| {
        let steps = trace(limit, window, window / Ticks::from(limit));
        (Just(limit), Just(window), Just(start), steps)
    })
}

/// A capacity, a rate of `tokens` per `seconds`, an initial level, a start and a trace.
pub(crate) type BucketCase = (u32, u32, u32, u32, Ticks, Vec<Step>);

pub(crate) fn bucket_case() -> impl Strategy<Value = BucketCase> {
    let rates = prop_oneof![
        (1..20_u32, 1..20_u32),
        (1..5_000_000_u32, Just(1)),
        (Just(1), 1..100_000_u32),
    ];
    (1..12_u32, rates, starts()).prop_flat_map(|(capacity, (tokens, seconds), start)| {
        let interval = SECOND * Ticks::from(seconds) / Ticks::from(tokens) + 1;
        let steps = trace(capacity, interval * Ticks::from(capacity), interval);
        (
            Just(capacity),
            Just(tokens),
            Just(seconds),
            0..=capacity,
            Just(start),
            steps,
        )
    })
}

pub(crate) fn bucket(
    capacity: u32,
    tokens: u32,
    seconds: u32,
    initial: u32,
    start: Ticks,
) -> TokenBucket {
    TokenBucket::new(
        capacity,
        f64::from(tokens) / f64::from(seconds),
        initial,
        start,
    )
    .expect("the ranges above are valid")
}

proptest! {
    #![proptest_config(Config { cases: 1_000, ..Config::default() })]

    #[test]
    fn the_log_is_exact((limit, window, start, steps) in window_case()) {
        let algorithm = SlidingLog { limit, window };
        prop_assert_eq!(disagreement(&algorithm, LogModel::new(limit, window), start, &steps), None);
    }

    #[test]
    fn the_fixed_window_is_exact((limit, window, start, steps) in window_case()) {
        let algorithm = FixedWindow::new(limit, window);
        prop_assert_eq!(disagreement(&algorithm, FixedModel::new(limit, window), start, &steps), None);
    }

    #[test]
    fn the_counter_is_the_integer_form((limit, window, start, steps) in window_case()) {
        let algorithm = SlidingCounter { limit, window };
        prop_assert_eq!(disagreement(&algorithm, CounterModel::new(limit, window), start, &steps), None);
    }

    #[test]
    fn the_bucket_is_exact((capacity, tokens, seconds, initial, start, steps) in bucket_case()) {
        let algorithm = bucket(capacity, tokens, seconds, initial, start);
        let model = BucketModel::new(capacity, tokens, seconds, initial, start);
        prop_assert_eq!(disagreement(&algorithm, model, start, &steps), None);
    }

    #[test]
    fn a_cost_is_the_same_as_so_many_ones((limit, window, start, steps) in window_case()) {
        let algorithm = SlidingLog { limit, window };
        let (mut whole, mut split) = (algorithm.fresh(), algorithm.fresh());
        let mut now = start;
        for step in steps {
            now += step.gap;
            if algorithm.admit(&mut whole, now, step.cost) {
                prop_assert!((0..step.cost).all(|_| algorithm.admit(&mut split, now, 1)));
            }
            prop_assert_eq!(algorithm.remaining(&whole, now), algorithm.remaining(&split, now));
        }
    }

    #[test]
    fn shifting_all_times_changes_nothing((limit, window, start, steps) in window_case(), shift in 0..1_000_000_u64) {
        let algorithm = SlidingCounter { limit, window };
        let (mut here, mut there) = (algorithm.fresh(), algorithm.fresh());
        let mut now = start;
        for step in steps {
            now += step.gap;
            // Aligned windows are shifted by whole windows.
            let shifted = now + shift * window;
            prop_assert_eq!(algorithm.admit(&mut here, now, step.cost), algorithm.admit(&mut there, shifted, step.cost));
        }
    }
}

#[test]
fn states_are_as_small_as_the_docstrings_say() {
    assert!(size_of::<<SlidingLog as Algorithm>::State>() <= 40);
    assert!(size_of::<<FixedWindow as Algorithm>::State>() <= 16);
    assert!(size_of::<<SegmentedWindow as Algorithm>::State>() <= 32);
    assert!(size_of::<<SlidingCounter as Algorithm>::State>() <= 16);
    assert!(size_of::<<TokenBucket as Algorithm>::State>() <= 16);
}

#[test]
fn rates_that_no_short_fraction_tells_are_never_exceeded_and_hardly_missed() {
    let rate = std::f64::consts::PI;
    let algorithm = TokenBucket::new(1_000_000, rate, 0, 0).expect("valid");
    let mut state = algorithm.fresh();
    let day = 86_400 * SECOND;
    let expected = (rate * 86_400.0).floor();
    let mut admitted = 0.0;
    while algorithm.admit(&mut state, day, 1) {
        admitted += 1.0;
    }
    assert!(
        admitted <= expected && admitted >= expected - 1.0,
        "{admitted} of {expected}"
    );
}

/// Looks for a trace on which a mutant and the model part.
pub(crate) fn is_killed<C: std::fmt::Debug>(
    cases: impl Strategy<Value = C>,
    run: impl Fn(C) -> Option<String>,
) -> bool {
    let mut runner = TestRunner::new(Config {
        cases: 5_000,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&cases, |case| {
            prop_assert_eq!(run(case), None);
            Ok(())
        })
        .is_err()
}
