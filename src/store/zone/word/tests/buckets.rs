//! Buckets: never early, and a tick late at most, against exact fractions.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::{Packed, jittered};
use crate::algorithm::properties::models::{BucketModel, Model};
use crate::algorithm::properties::receipts::{giving, strays};
use crate::algorithm::properties::spends::{bad_debt, parted};
use crate::algorithm::properties::{Step, bucket, bucket_case, disagreement};
use crate::algorithm::{Algorithm, TokenBucket};
use crate::clock::{LONGEST_SPAN, SECOND, Ticks};
use crate::store::zone::word::BucketWord;

pub(super) fn word(capacity: u32, tokens: u32, seconds: u32) -> Packed<BucketWord> {
    Packed(BucketWord::new(&bucket(
        capacity, tokens, seconds, capacity, 0,
    )))
}

/// Rates whose tokens take a whole number of ticks, of which nothing is rounded.
pub(super) fn exact_case() -> impl Strategy<Value = (u32, u32, u32, u32, Ticks, Vec<Step>)> {
    bucket_case().prop_filter("rounded", |(_, tokens, seconds, _, _, _)| {
        (Ticks::from(*seconds) * SECOND).is_multiple_of((*tokens).into())
    })
}

/// What is early, or more than a tick late, on the trace of what the word admits.
pub(super) fn untimely<A: Algorithm>(
    word: &A,
    mut exact: impl Model,
    start: Ticks,
    steps: &[Step],
) -> Option<String> {
    let (mut state, mut now) = (word.fresh(), start);
    for step in steps {
        now += step.gap;
        let cost = step.cost;
        let wait = word.wait(&state, now, cost).unwrap_or(Ticks::MAX);
        if !exact.fits(now + wait, cost) {
            return Some(format!("{cost} is early at {now} + {wait}"));
        }
        if wait > 1 && exact.fits(now + wait - 2, cost) {
            return Some(format!("{cost} is late at {now} + {wait}"));
        }
        let left = word.remaining(&state, now);
        if left > 0 && !exact.fits(now, left) {
            return Some(format!("{left} are left too many at {now}"));
        }
        let later = word.remaining(&state, now + 1);
        if later < word.limit() && exact.fits(now, later + 1) {
            return Some(format!("{left} are left too few at {now}"));
        }
        if word.admit(&mut state, now, cost) {
            exact.spend(now, cost);
        }
        let reset = word.reset_after(&state, now);
        if !exact.is_whole(now + reset) || reset > 1 && exact.is_whole(now + reset - 2) {
            return Some(format!("{reset} to a whole bucket at {now}"));
        }
    }
    None
}

proptest! {
    #![proptest_config(Config { cases: 200, ..Config::default() })]

    #[test]
    fn a_bucket_is_timely((capacity, tokens, seconds, _, start, steps) in bucket_case()) {
        let word = word(capacity, tokens, seconds);
        let model = BucketModel::new(capacity, tokens, seconds, capacity, start);
        prop_assert_eq!(untimely(&word, model, start, &steps), None);
        prop_assert_eq!(parted(&word, start, &steps), None);
        prop_assert_eq!(bad_debt(&word, start, &steps), None);
    }

    #[test]
    fn a_bucket_without_rounding_is_exact((capacity, tokens, seconds, _, start, steps) in exact_case(), most in 0..60_u64) {
        let word = word(capacity, tokens, seconds);
        let model = || BucketModel::new(capacity, tokens, seconds, capacity, start.saturating_sub(60));
        prop_assert_eq!(disagreement(&word, model(), start, &steps), None);
        prop_assert_eq!(jittered(&word, model(), (start, most), &steps), None);
        prop_assert_eq!(strays(&word, model(), start, &giving(steps), Algorithm::give_back), None);
    }

    /// The same calls in memory and in a zone part by a tick at most.
    #[test]
    fn a_bucket_decides_as_in_memory((capacity, tokens, seconds, _, start, steps) in bucket_case()) {
        let memory = bucket(capacity, tokens, seconds, capacity, 0);
        let word = word(capacity, tokens, seconds);
        let (mut here, mut there, mut now) = (memory.fresh(), word.fresh(), start);
        for step in steps {
            now += step.gap;
            let wait = memory.wait(&here, now, step.cost).unwrap_or_default();
            let shared = word.wait(&there, now, step.cost).unwrap_or_default();
            prop_assert!((wait..=wait + 1).contains(&shared), "{} and {} at {}", wait, shared, now);
            now += shared;
            prop_assert!(memory.admit(&mut here, now, step.cost));
            prop_assert!(word.admit(&mut there, now, step.cost));
        }
    }

    /// The time until it is full means the same under every quota, so each call adds its own.
    #[test]
    fn another_rate_goes_on_with_the_time((capacity, tokens, seconds, _, start, steps) in exact_case()) {
        let words = [word(capacity, tokens, seconds), word(capacity + 3, 1, 1)];
        let full = |word: &Packed<BucketWord>| word.window();
        let (mut state, mut now, mut full_at) = (0, start, start);
        for (index, step) in steps.iter().enumerate() {
            now += step.gap;
            let word = &words[index % 2];
            let price = full(word) / Ticks::from(word.limit()) * Ticks::from(step.cost);
            let fits = full_at.saturating_sub(now) + price <= full(word);
            prop_assert_eq!(word.admit(&mut state, now, step.cost), fits);
            if fits {
                full_at = full_at.max(now) + price;
            }
        }
    }
}

#[test]
fn the_longest_and_the_quickest_buckets_fit_the_word() {
    let start = 8 * LONGEST_SPAN;
    for (capacity, rate) in [(1, 1e12), (1, 1e-9), (u32::MAX, 4.3), (u32::MAX, 1e12)] {
        let bucket = TokenBucket::new(capacity, rate, capacity, 0).expect("valid");
        let word = Packed(BucketWord::new(&bucket));
        let steps = [true, false, true].map(|refund| Step {
            gap: 1,
            refund,
            cost: 1,
        });
        assert_eq!(bad_debt(&word, start, &steps), None, "{capacity} at {rate}");
    }
}
