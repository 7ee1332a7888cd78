//! Looking and spending apart: together they are `admit`, and a debt is well defined.

use super::*;

/// What a state says of every cost, now and later.
fn told<A: Algorithm>(algorithm: &A, state: &A::State, now: Ticks) -> Vec<(Verdict, Ticks)> {
    let times = [
        now,
        now + 1,
        now + algorithm.window() / 2,
        now + algorithm.window(),
    ];
    let of = |at| (1..=algorithm.limit()).map(move |cost| (at, cost));
    let all = times.into_iter().flat_map(of);
    all.map(|(at, cost)| {
        (
            algorithm.look(state, at, cost),
            algorithm.reset_after(state, at),
        )
    })
    .collect()
}

/// `admit` against a look and then a spend, along a trace.
pub(crate) fn parted<A: Algorithm>(algorithm: &A, start: Ticks, steps: &[Step]) -> Option<String> {
    let (mut whole, mut apart) = (algorithm.fresh(), algorithm.fresh());
    let mut now = start;
    for step in steps {
        now += step.gap;
        if step.refund {
            algorithm.refund(&mut whole, now, step.cost);
            algorithm.refund(&mut apart, now, step.cost);
        } else {
            let verdict = algorithm.look(&apart, now, step.cost);
            if told(algorithm, &whole, now) != told(algorithm, &apart, now) {
                return Some(format!("a look at {now} has changed something"));
            }
            if verdict.fits != algorithm.admit(&mut whole, now, step.cost) {
                return Some(format!("{verdict:?} at {now} for {}", step.cost));
            }
            if verdict.fits != (verdict.wait == Some(0))
                || verdict.fits != (step.cost <= verdict.left)
            {
                return Some(format!("{verdict:?} contradicts itself"));
            }
            if verdict.fits {
                algorithm.spend(&mut apart, now, step.cost);
            }
        }
        if told(algorithm, &whole, now) != told(algorithm, &apart, now) {
            return Some(format!("the states part at {now}"));
        }
    }
    None
}

/// Spends whatever the look says: the wait stays a promise, and the debt is bounded.
pub(crate) fn bad_debt<A: Algorithm>(
    algorithm: &A,
    start: Ticks,
    steps: &[Step],
) -> Option<String> {
    let (mut state, mut now) = (algorithm.fresh(), start);
    for step in steps {
        now += step.gap;
        let before = algorithm.reset_after(&state, now);
        let cost = if step.refund { u32::MAX } else { step.cost };
        algorithm.spend(&mut state, now, cost);
        let after = algorithm.reset_after(&state, now);
        if after == 0 || after < before {
            return Some(format!("{cost} spent at {now}: {before} to {after}"));
        }
        // No more than the debt of a whole quota, which takes a window, and the window itself.
        if after > 2 * algorithm.window() + 2 {
            return Some(format!("a debt of {after} at {now}"));
        }
        if cost >= algorithm.limit() && algorithm.look(&state, now, 1).fits {
            return Some(format!("more fits at {now} than the limit"));
        }
        for cost in [1, algorithm.limit()] {
            let Some(wait) = algorithm.wait(&state, now, cost) else {
                return Some("a wait that nobody knows".into());
            };
            if !algorithm.look(&state, now + wait, cost).fits {
                return Some(format!("{cost} does not fit at {now} + {wait}"));
            }
            if wait > 0 && algorithm.look(&state, now + wait - 1, cost).fits {
                return Some(format!("{cost} fits before {now} + {wait}"));
            }
        }
    }
    None
}

fn all_windows(
    limit: u32,
    window: Ticks,
    check: impl Fn(&dyn Check) -> Option<String>,
) -> Option<String> {
    let (fixed, log) = (
        FixedWindow::new(limit, window),
        SlidingLog { limit, window },
    );
    let counter = SlidingCounter { limit, window };
    let segments = SegmentedWindow::new(limit, window);
    check(&fixed)
        .or_else(|| check(&log))
        .or_else(|| check(&counter))
        .or_else(|| check(&segments))
}

/// One algorithm with both checks.
trait Check {
    fn parted(&self, start: Ticks, steps: &[Step]) -> Option<String>;
    fn bad_debt(&self, start: Ticks, steps: &[Step]) -> Option<String>;
}

impl<A: Algorithm> Check for A {
    fn parted(&self, start: Ticks, steps: &[Step]) -> Option<String> {
        parted(self, start, steps)
    }

    fn bad_debt(&self, start: Ticks, steps: &[Step]) -> Option<String> {
        bad_debt(self, start, steps)
    }
}

proptest! {
    #![proptest_config(Config { cases: 500, ..Config::default() })]

    #[test]
    fn a_look_and_a_spend_are_an_admission((limit, window, start, steps) in window_case()) {
        prop_assert_eq!(all_windows(limit, window, |algorithm| algorithm.parted(start, &steps)), None);
    }

    #[test]
    fn a_look_and_a_spend_are_a_buckets_admission((capacity, tokens, seconds, initial, start, steps) in bucket_case()) {
        let algorithm = bucket(capacity, tokens, seconds, initial, start);
        prop_assert_eq!(parted(&algorithm, start, &steps), None);
    }

    #[test]
    fn a_debt_is_paid_off_in_time((limit, window, start, steps) in window_case()) {
        prop_assert_eq!(all_windows(limit, window, |algorithm| algorithm.bad_debt(start, &steps)), None);
    }

    #[test]
    fn a_buckets_debt_is_paid_off_in_time((capacity, tokens, seconds, initial, start, steps) in bucket_case()) {
        let algorithm = bucket(capacity, tokens, seconds, initial, start);
        prop_assert_eq!(bad_debt(&algorithm, start, &steps), None);
    }
}

#[test]
fn the_largest_quotas_and_costs_overflow_nothing() {
    let (limit, window) = (u32::MAX, crate::clock::LONGEST_SPAN);
    let log = SlidingLog { limit: 1, window };
    let buckets = [(1, 1e12), (1, 1e-9), (u32::MAX, 4.3)];
    let start = 8 * window;
    let twice = |algorithm: &dyn Check| {
        let step = Step {
            gap: 0,
            refund: true,
            cost: 1,
        };
        algorithm.bad_debt(start, &[step, Step { gap: 1, ..step }])
    };
    assert_eq!(twice(&FixedWindow::new(limit, window)), None);
    assert_eq!(twice(&SlidingCounter { limit, window }), None);
    assert_eq!(twice(&SegmentedWindow::new(limit, window)), None);
    assert_eq!(twice(&log), None);
    for (capacity, rate) in buckets {
        let algorithm = TokenBucket::new(capacity, rate, capacity, start).expect("valid");
        assert_eq!(twice(&algorithm), None, "{capacity} at {rate}");
    }
}

/// Processes that share a state have made their buckets at times of their own.
#[test]
fn buckets_that_begin_full_agree_whenever_they_were_made() {
    let early = TokenBucket::new(3, 1.0, 3, 0).expect("valid");
    let late = TokenBucket::new(3, 1.0, 3, 9 * SECOND).expect("valid");
    let renewed = TokenBucket::new(3, 1.0, 3, 0)
        .expect("valid")
        .succeeding(&late, 11 * SECOND);
    for algorithm in [&early, &late, &renewed] {
        let mut state = algorithm.fresh();
        assert_eq!(algorithm.reset_after(&state, 0), 0);
        assert!(algorithm.admit(&mut state, 5 * SECOND, 3));
        // Given back under either, it is as full as under the other.
        late.refund(&mut state, 5 * SECOND, 3);
        assert_eq!(early.look(&state, 5 * SECOND, 3).left, 3);
    }
}
