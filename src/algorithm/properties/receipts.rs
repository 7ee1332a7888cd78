//! Refunds by receipt: a spend's own units come back while they count, and nobody else's.

use super::*;
use crate::algorithm::Spend;

/// What was spent, and how much of it has not come back.
#[derive(Debug, Clone, Copy)]
struct Receipt {
    spend: Spend,
    left: u32,
}

impl Receipt {
    fn of<A: Algorithm>(algorithm: &A, state: &A::State, now: Ticks, cost: u32) -> Self {
        let spend = Spend {
            at: now,
            mark: algorithm.mark(state, now),
            returned: 0,
        };
        Self { spend, left: cost }
    }

    /// Take units off it, if there are some.
    fn take(&mut self, units: u32) -> u32 {
        let units = units.min(self.left);
        self.left -= units;
        units
    }
}

/// How a limiter gives units back: the real way, or a mutant's.
pub(super) type GiveBack<A> = fn(&A, &mut <A as Algorithm>::State, Ticks, Spend, u32);

/// What goes wrong when `algorithm` and `model` go through the same steps, if anything does. A step
/// that gives back picks one of the receipts by its gap.
pub(super) fn strays<A: Algorithm, M: Model>(
    algorithm: &A,
    mut model: M,
    start: Ticks,
    steps: &[Step],
    give_back: GiveBack<A>,
) -> Option<String> {
    let mut state = algorithm.fresh();
    let mut receipts: Vec<(Receipt, usize)> = Vec::new();
    let (mut now, mut events) = (start, 0);
    for (index, step) in steps.iter().enumerate() {
        now += step.gap;
        let problem = if !step.refund {
            let before = model.fits(now, step.cost);
            let problem = call(algorithm, &mut state, &mut model, now, step.cost);
            if before {
                events += 1;
                receipts.push((Receipt::of(algorithm, &state, now, step.cost), events));
            }
            problem
        } else if let Some((receipt, event)) = picked(&mut receipts, index) {
            let units = receipt.take(step.cost);
            give_back(algorithm, &mut state, now, receipt.spend, units);
            model.give_back(now, &receipt.spend, *event, units);
            events += 1;
            receipt.spend.returned += units;
            None
        } else {
            None
        };
        let problem = problem.or_else(|| report(algorithm, &state, &model, now));
        if let Some(problem) = problem {
            return Some(format!("step {index} at {now}, {step:?}: {problem}"));
        }
    }
    None
}

/// Some receipt: mostly one of the newest three.
fn picked<R>(receipts: &mut [R], index: usize) -> Option<&mut R> {
    let back = if index.is_multiple_of(5) {
        index
    } else {
        index % 3
    };
    let place = receipts
        .len()
        .checked_sub(1 + back % receipts.len().max(1))?;
    receipts.get_mut(place)
}

/// More steps that give back than elsewhere.
pub(super) fn giving(steps: Vec<Step>) -> Vec<Step> {
    let gives = |(index, step): (usize, Step)| Step {
        refund: step.refund || index % 3 == 2,
        ..step
    };
    steps.into_iter().enumerate().map(gives).collect()
}

/// Two buckets: in one of them the spend at `which` never was. When all its units have come back at
/// the end, there is no more in the first than in the second, and as much if nobody spent since.
fn exceeds(
    algorithm: &TokenBucket,
    start: Ticks,
    steps: &[Step],
    which: usize,
    give_back: GiveBack<TokenBucket>,
) -> Option<String> {
    let (mut with, mut without) = (algorithm.fresh(), algorithm.fresh());
    let mut receipt = None;
    let mut alone = true;
    let mut now = start;
    for (index, step) in steps.iter().enumerate() {
        now += step.gap;
        if step.refund {
            if let Some(receipt) = &mut receipt {
                returned(algorithm, &mut with, now, receipt, 1, give_back);
            }
        } else if algorithm.admit(&mut with, now, step.cost) {
            if index == which {
                receipt = Some(Receipt::of(algorithm, &with, now, step.cost));
            } else {
                alone &= receipt.is_none();
                algorithm.spend(&mut without, now, step.cost);
            }
        }
    }
    let mut receipt = receipt?;
    // Half at once, so that the other half still waits.
    for units in [receipt.left / 2, u32::MAX] {
        returned(algorithm, &mut with, now, &mut receipt, units, give_back);
    }
    let (with, without) = (
        told_of(algorithm, &with, now),
        told_of(algorithm, &without, now),
    );
    match (with, without) {
        (with, without) if with == without => None,
        (with, without) if with.0 < without.0 || with.1 > without.1 => Some(format!(
            "{with:?} is above {without:?}, which it would be without the spend"
        )),
        (with, without) if alone => Some(format!("{with:?} is not {without:?}, and nobody spent")),
        _ => None,
    }
}

fn returned(
    algorithm: &TokenBucket,
    state: &mut <TokenBucket as Algorithm>::State,
    now: Ticks,
    receipt: &mut Receipt,
    units: u32,
    give_back: GiveBack<TokenBucket>,
) {
    let units = receipt.take(units);
    give_back(algorithm, state, now, receipt.spend, units);
    receipt.spend.returned += units;
}

/// How long until it is full, and what is left.
fn told_of(
    algorithm: &TokenBucket,
    state: &<TokenBucket as Algorithm>::State,
    now: Ticks,
) -> (Ticks, u32) {
    (
        algorithm.reset_after(state, now),
        algorithm.remaining(state, now),
    )
}

proptest! {
    #![proptest_config(Config { cases: 1_000, ..Config::default() })]

    #[test]
    fn a_log_gives_back_the_very_units((limit, window, start, steps) in window_case()) {
        let algorithm = SlidingLog { limit, window };
        let model = LogModel::new(limit, window);
        prop_assert_eq!(strays(&algorithm, model, start, &giving(steps), Algorithm::give_back), None);
    }

    #[test]
    fn a_fixed_window_gives_back_what_it_counted((limit, window, start, steps) in window_case()) {
        let algorithm = FixedWindow::new(limit, window);
        let model = FixedModel::new(limit, window);
        prop_assert_eq!(strays(&algorithm, model, start, &giving(steps), Algorithm::give_back), None);
    }

    #[test]
    fn a_counter_gives_back_from_the_window_that_counted((limit, window, start, steps) in window_case()) {
        let algorithm = SlidingCounter { limit, window };
        let model = CounterModel::new(limit, window);
        prop_assert_eq!(strays(&algorithm, model, start, &giving(steps), Algorithm::give_back), None);
    }

    #[test]
    fn a_bucket_gives_back_by_its_rule((capacity, tokens, seconds, initial, start, steps) in bucket_case()) {
        let algorithm = bucket(capacity, tokens, seconds, initial, start);
        let model = BucketModel::new(capacity, tokens, seconds, initial, start);
        prop_assert_eq!(strays(&algorithm, model, start, &giving(steps), Algorithm::give_back), None);
    }

    #[test]
    fn a_bucket_is_never_above_what_it_would_be(
        (capacity, tokens, seconds, initial, start, steps) in bucket_case(),
        which in 0..20_usize,
    ) {
        let algorithm = bucket(capacity, tokens, seconds, initial, start);
        prop_assert_eq!(exceeds(&algorithm, start, &steps, which, Algorithm::give_back), None);
    }
}

/// A trap of others: the receipt of a unit that has left its window frees a newer one.
#[test]
fn what_no_longer_counts_gives_nothing_back() {
    let algorithm = FixedWindow::new(2, 60);
    let mut state = algorithm.fresh();
    assert!(algorithm.admit(&mut state, 59, 1));
    let receipt = Receipt::of(&algorithm, &state, 59, 1);
    assert!(algorithm.admit(&mut state, 61, 2));
    algorithm.give_back(&mut state, 62, receipt.spend, 1);
    assert!(
        !algorithm.admit(&mut state, 63, 1),
        "three of two in a minute"
    );
}

/// The state began anew in between: what it counts now is another's.
#[test]
fn a_window_that_was_forgotten_gives_nothing_back() {
    let algorithm = FixedWindow::new(2, 60);
    let mut state = algorithm.fresh();
    assert!(algorithm.admit(&mut state, 5, 1));
    let receipt = Receipt::of(&algorithm, &state, 5, 1);
    state = algorithm.fresh();
    assert!(algorithm.admit(&mut state, 6, 2));
    algorithm.give_back(&mut state, 7, receipt.spend, 1);
    assert!(!algorithm.admit(&mut state, 8, 1));
}

pub(super) fn oldest<A: Algorithm>(
    algorithm: &A,
    state: &mut A::State,
    now: Ticks,
    _: Spend,
    units: u32,
) {
    algorithm.refund(state, now, units);
}

/// Counts the time from a tick too late.
fn late<A: Algorithm>(algorithm: &A, state: &mut A::State, now: Ticks, spend: Spend, units: u32) {
    let at = spend.at + 1;
    algorithm.give_back(state, now, Spend { at, ..spend }, units);
}

/// Forgets that some units have come back before.
fn forgetful<A: Algorithm>(
    algorithm: &A,
    state: &mut A::State,
    now: Ticks,
    spend: Spend,
    units: u32,
) {
    let spend = Spend {
        returned: 0,
        ..spend
    };
    algorithm.give_back(state, now, spend, units);
}

#[test]
fn windows_that_give_back_the_oldest_units_are_found_out() {
    let cases = window_case;
    assert!(is_killed(cases(), |(limit, window, start, steps)| {
        let algorithm = SlidingLog { limit, window };
        strays(
            &algorithm,
            LogModel::new(limit, window),
            start,
            &giving(steps),
            oldest,
        )
    }));
    assert!(is_killed(cases(), |(limit, window, start, steps)| {
        let algorithm = FixedWindow::new(limit, window);
        strays(
            &algorithm,
            FixedModel::new(limit, window),
            start,
            &giving(steps),
            oldest,
        )
    }));
    assert!(is_killed(cases(), |(limit, window, start, steps)| {
        let algorithm = SlidingCounter { limit, window };
        strays(
            &algorithm,
            CounterModel::new(limit, window),
            start,
            &giving(steps),
            oldest,
        )
    }));
}

#[test]
fn windows_that_mistake_the_time_are_found_out() {
    let cases = window_case;
    assert!(is_killed(cases(), |(limit, window, start, steps)| {
        let algorithm = SlidingLog { limit, window };
        strays(
            &algorithm,
            LogModel::new(limit, window),
            start,
            &giving(steps),
            late,
        )
    }));
    assert!(is_killed(cases(), |(limit, window, start, steps)| {
        let algorithm = SlidingCounter { limit, window };
        strays(
            &algorithm,
            CounterModel::new(limit, window),
            start,
            &giving(steps),
            late,
        )
    }));
}

#[test]
fn buckets_that_give_back_too_much_are_found_out() {
    for mutant in [oldest as GiveBack<TokenBucket>, late, forgetful] {
        let cases = (bucket_case(), 0..20_usize);
        assert!(is_killed(
            cases,
            |((capacity, tokens, seconds, initial, start, steps), which)| {
                let algorithm = bucket(capacity, tokens, seconds, initial, start);
                exceeds(&algorithm, start, &steps, which, mutant)
            }
        ));
    }
}
