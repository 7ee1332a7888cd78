//! Refunds by receipt: a spend's own units come back while they count, and nobody else's.

mod buckets;

use super::*;
use crate::algorithm::Spend;

/// What was spent, and how much of it has not come back.
#[derive(Debug, Clone, Copy)]
struct Receipt {
    spend: Spend,
    left: u32,
}

/// What a store knows beside a key's state.
struct Books<A: Algorithm> {
    algorithm: A,
    state: A::State,
    give_back: GiveBack<A>,
    /// What has come back in all, as marks count.
    returned: u128,
}

impl<A: Algorithm> Books<A> {
    fn new(algorithm: &A, give_back: GiveBack<A>) -> Self {
        Self {
            algorithm: algorithm.clone(),
            state: algorithm.fresh(),
            give_back,
            returned: 0,
        }
    }

    fn receipt(&self, now: Ticks, cost: u32) -> Receipt {
        let spend = Spend {
            at: now,
            mark: self.algorithm.mark(&self.state, now) + self.returned,
        };
        Receipt { spend, left: cost }
    }

    /// Give units back, if so many are left; how many.
    fn take_back(&mut self, now: Ticks, receipt: &mut Receipt, units: u32) -> u32 {
        let units = units.min(receipt.left);
        receipt.left -= units;
        let spend = Spend {
            mark: receipt.spend.mark.saturating_sub(self.returned),
            ..receipt.spend
        };
        let before = self.algorithm.mark(&self.state, now);
        (self.give_back)(&self.algorithm, &mut self.state, now, spend, units);
        if A::MARKS_WHAT_IS_MISSING {
            self.returned += before.saturating_sub(self.algorithm.mark(&self.state, now));
        }
        units
    }
}

/// How a limiter gives units back: the real way, or a mutant's.
pub(crate) type GiveBack<A> = fn(&A, &mut <A as Algorithm>::State, Ticks, Spend, u32);

/// What goes wrong when `algorithm` and `model` go through the same steps, if anything does. A step
/// that gives back picks one of the receipts by its gap.
pub(crate) fn strays<A: Algorithm, M: Model>(
    algorithm: &A,
    mut model: M,
    start: Ticks,
    steps: &[Step],
    give_back: GiveBack<A>,
) -> Option<String> {
    let mut books = Books::new(algorithm, give_back);
    let mut receipts: Vec<(Receipt, usize)> = Vec::new();
    let (mut now, mut events) = (start, 0);
    for (index, step) in steps.iter().enumerate() {
        now += step.gap;
        let problem = if !step.refund {
            let before = model.fits(now, step.cost);
            let problem = call(algorithm, &mut books.state, &mut model, now, step.cost);
            if before {
                events += 1;
                receipts.push((books.receipt(now, step.cost), events));
            }
            problem
        } else if let Some((receipt, event)) = picked(&mut receipts, index) {
            let units = books.take_back(now, receipt, step.cost);
            model.give_back(now, &receipt.spend, *event, units);
            events += 1;
            None
        } else {
            None
        };
        let problem = problem.or_else(|| report(algorithm, &books.state, &model, now));
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
pub(crate) fn giving(steps: Vec<Step>) -> Vec<Step> {
    let gives = |(index, step): (usize, Step)| Step {
        refund: step.refund || index % 3 == 2,
        ..step
    };
    steps.into_iter().enumerate().map(gives).collect()
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
}

fn spent<A: Algorithm>(algorithm: &A, state: &A::State, at: Ticks) -> Spend {
    let mark = algorithm.mark(state, at);
    Spend { at, mark }
}

/// A trap of others: the receipt of a unit that has left its window frees a newer one.
#[test]
fn what_no_longer_counts_gives_nothing_back() {
    let algorithm = FixedWindow::new(2, 60);
    let mut state = algorithm.fresh();
    assert!(algorithm.admit(&mut state, 59, 1));
    let spend = spent(&algorithm, &state, 59);
    assert!(algorithm.admit(&mut state, 61, 2));
    algorithm.give_back(&mut state, 62, spend, 1);
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
    let spend = spent(&algorithm, &state, 5);
    state = algorithm.fresh();
    assert!(algorithm.admit(&mut state, 6, 2));
    algorithm.give_back(&mut state, 7, spend, 1);
    assert!(!algorithm.admit(&mut state, 8, 1));
}

pub(crate) fn oldest<A: Algorithm>(
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

/// A window that another one continues counts from then on: what was counted before is no part of it.
#[test]
fn a_window_that_became_longer_gives_nothing_back_that_it_does_not_count() {
    let (short, long) = (FixedWindow::new(2, 7), FixedWindow::new(2, 60));
    let mut state = short.fresh();
    assert!(short.admit(&mut state, 10, 2));
    let spend = spent(&short, &state, 10);
    long.adopt(&short, &mut state, 15);
    assert!(long.admit(&mut state, 15, 2));
    long.give_back(&mut state, 15, spend, 2);
    assert!(!long.admit(&mut state, 15, 1));
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
