//! Refunds of a bucket by receipt, whatever quota its key has by then: against a twin that never saw
//! the spend.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::Packed;
use super::buckets::word;
use crate::algorithm::properties::{BucketCase, Step, bucket_case};
use crate::algorithm::{Algorithm, Spend, TokenBucket};
use crate::clock::{LONGEST_SPAN, Ticks};
use crate::store::zone::word::{BucketWord, Word};

type Words = [Packed<BucketWord>; 2];

/// A quota, another one of another rate, a start and a trace.
fn case() -> impl Strategy<Value = (Words, Ticks, Vec<Step>)> {
    let words = |(capacity, tokens, seconds, _, start, steps): BucketCase| {
        let words = [word(capacity, tokens, seconds), word(capacity + 3, 7, 3)];
        (words, start, steps)
    };
    bucket_case().prop_map(words)
}

/// A spend as its receipt has it.
fn receipt(word: &Packed<BucketWord>, payload: u128, at: Ticks) -> Spend {
    let mark = word.0.mark_in_word(&word.0.unpack(payload, at), at);
    Spend { at, mark }
}

/// Spend one step after the other, of one quota and the other by turns; then give the spend `chosen`
/// back by the quota that it was *not* spent by. What is wrong, beside a twin that never spent it.
fn amiss((words, start, steps): &(Words, Ticks, Vec<Step>), chosen: usize) -> Option<String> {
    let (mut here, mut twin, mut now) = (0, 0, *start);
    let mut taken: Option<(usize, Spend, u32)> = None;
    let mut alone = false;
    for (index, step) in steps.iter().enumerate() {
        now += step.gap;
        let word = &words[index % 2];
        if !word.admit(&mut here, now, step.cost) {
            continue;
        }
        alone = taken.is_none();
        if alone && index >= chosen {
            taken = Some((index, receipt(word, here, now), step.cost));
        } else if !word.admit(&mut twin, now, step.cost) {
            return Some(format!("the twin has less at step {index}"));
        }
    }
    let (index, spend, cost) = taken?;
    let other = &words[(index + 1) % 2];
    let mut state = other.0.unpack(here, now);
    other.0.give_back_marked(&mut state, now, spend, cost);
    let (here, floor) = (other.0.pack(&state), u128::from(now) << 56);
    let (here, twin) = (here.max(floor), twin.max(floor));
    let late = here.checked_sub(twin);
    match late {
        None => Some(format!("it is full {} early", twin - here)),
        Some(late) if alone && late >= 1 << 56 => Some(format!("it is full {late} late")),
        Some(_) => None,
    }
}

proptest! {
    #![proptest_config(Config { cases: 1_000, ..Config::default() })]

    /// Never more than was spent, and a tick's worth less at most when nobody has spent since.
    #[test]
    fn a_spend_comes_back_under_another_quota(case in case(), chosen in 0..8_usize) {
        prop_assert_eq!(amiss(&case, chosen), None);
    }

    /// Rates as odd as they come: what a receipt notes is what was paid.
    #[test]
    fn a_receipt_notes_the_very_price(capacity in 1..=u32::MAX, rate in -9.0..12.0_f64, now in 0..(1_u64 << 52)) {
        let rate = 10_f64.powf(rate).max(f64::from(capacity) / 1e9).min(1e12);
        prop_assume!(rate >= 1e-9);
        let Ok(bucket) = TokenBucket::new(capacity, rate, capacity, 0) else {
            return Ok(());
        };
        let word = Packed(BucketWord::new(&bucket));
        let mut payload = word.fresh();
        prop_assert!(word.admit(&mut payload, now, capacity));
        let spend = receipt(&word, payload, now);
        let mut state = word.0.unpack(payload, now);
        word.0.give_back_marked(&mut state, now, spend, capacity);
        let left = word.0.pack(&state) - (u128::from(now) << 56);
        prop_assert!(left < 1 << 56, "{} of {} are still missing", left, payload);
        // The first tokens of many have their own price, to the last digit.
        if capacity > 1 {
            let (mut one, mut all) = (word.0.unpack(payload, now), word.0.unpack(payload, now));
            word.0.give_back_marked(&mut one, now, spend, 1);
            word.0.give_back(&mut all, now, Spend { at: now, mark: word.mark(&payload, now) }, 1);
            prop_assert_eq!(word.0.pack(&one), word.0.pack(&all));
        }
    }
}

/// Gives back by the price of the quota that the key has now.
fn by_the_new_price(word: &BucketWord, payload: u128, now: Ticks, spend: Spend) -> u128 {
    let mark = (spend.mark & ((1 << 51) - 1)) << 56;
    let mut state = word.unpack(payload, now);
    word.give_back(&mut state, now, Spend { mark, ..spend }, 1);
    word.pack(&state)
}

#[test]
fn a_price_of_another_quota_would_be_wrong() {
    let (cheap, dear) = (word(5, 1_000, 1), word(5, 1, 1));
    let mut payload = dear.fresh();
    assert!(dear.admit(&mut payload, 7, 1) && dear.admit(&mut payload, 7, 1));
    let spend = receipt(&dear, payload, 7);
    let mut state = cheap.0.unpack(payload, 7);
    cheap.0.give_back_marked(&mut state, 7, spend, 1);
    let right = cheap.0.pack(&state);
    assert_eq!(dear.remaining(&right, 7), 4);
    assert_ne!(by_the_new_price(&cheap.0, payload, 7, spend), right);
}

#[test]
fn the_longest_debt_fits_a_receipt() {
    for (capacity, rate) in [(1, 1e-9), (u32::MAX, 4.3), (1, 1e12)] {
        let bucket = TokenBucket::new(capacity, rate, capacity, 0).expect("valid");
        let word = Packed(BucketWord::new(&bucket));
        let (mut payload, now) = (word.fresh(), 8 * LONGEST_SPAN);
        assert_eq!(word.spend(&mut payload, now, capacity), capacity);
        let before = payload;
        assert_eq!(word.spend(&mut payload, now, capacity), capacity);
        let spend = receipt(&word, payload, now);
        let mut state = word.0.unpack(payload, now);
        word.0.give_back_marked(&mut state, now, spend, capacity);
        let left = word.0.pack(&state) - before;
        assert!(left < 1 << 56, "{capacity} at {rate}: {left}");
    }
}
