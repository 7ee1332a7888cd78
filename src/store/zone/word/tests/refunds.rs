//! Refunds of a bucket by receipt, whatever quota its key has by then: against a twin that never saw
//! the spend.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::Packed;
use super::buckets::word;
use crate::algorithm::properties::{BucketCase, Step, bucket_case, is_killed};
use crate::algorithm::{Algorithm, Spend, TokenBucket};
use crate::clock::{LONGEST_SPAN, Ticks};
use crate::store::zone::word::{BucketWord, Marked, Word};

/// One, as states have it.
const TICK: u128 = 1 << 56;

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
fn receipt(word: &Packed<BucketWord>, payload: u128, at: Ticks, cost: u32) -> Marked {
    let mark = word.0.mark_in_word(&word.0.unpack(payload, at), at, cost);
    (Spend { at, mark }, cost)
}

/// Spend one step after the other, of one quota and the other by turns; then give the spend `chosen`
/// back by the quota that it was *not* spent by. What is wrong, beside a twin that never spent it.
fn amiss(
    (words, start, steps): &(Words, Ticks, Vec<Step>),
    chosen: usize,
    as_noted: impl Fn(&Words, Marked) -> Marked,
) -> Option<String> {
    let (mut here, mut twin, mut now) = (0, 0, *start);
    let mut taken: Option<(usize, Marked)> = None;
    let mut alone = false;
    for (index, step) in steps.iter().enumerate() {
        now += step.gap;
        let word = &words[index % 2];
        if !word.admit(&mut here, now, step.cost) {
            continue;
        }
        alone = taken.is_none();
        if alone && index >= chosen {
            taken = Some((index, receipt(word, here, now, step.cost)));
        } else if !word.admit(&mut twin, now, step.cost) {
            return Some(format!("the twin has less at step {index}"));
        }
    }
    let (index, spend) = taken?;
    let spend = as_noted(words, spend);
    let other = &words[(index + 1) % 2];
    let mut state = other.0.unpack(here, now);
    other.0.give_back_marked(&mut state, now, spend, spend.1);
    let (here, floor) = (other.0.pack(&state), u128::from(now) * TICK);
    let (here, twin) = (here.max(floor), twin.max(floor));
    let late = here.checked_sub(twin);
    match late {
        None => Some(format!("it is full {} early", twin - here)),
        // Nothing is lost but where a token takes less than a tick.
        Some(late) if alone && late >= if words[0].0.is_quick() { TICK } else { 1 } => {
            Some(format!("it is full {late} late"))
        }
        Some(_) => None,
    }
}

proptest! {
    #![proptest_config(Config { cases: 1_000, ..Config::default() })]

    /// Never more than was spent, and a tick's worth less at most when nobody has spent since.
    #[test]
    fn a_spend_comes_back_under_another_quota(case in case(), chosen in 0..8_usize) {
        prop_assert_eq!(amiss(&case, chosen, |_, marked| marked), None);
    }

    /// Rates as odd as they come: what a receipt notes is what was paid, to the last digit.
    #[test]
    fn a_receipt_notes_the_very_price(capacity in 2..=u32::MAX, rate in -9.0..12.0_f64, now in 0..(1_u64 << 52)) {
        let rate = 10_f64.powf(rate).max(f64::from(capacity) / 9.9e8).min(1e12);
        let bucket = TokenBucket::new(capacity, rate, capacity, 0).expect("fills in time");
        let word = Packed(BucketWord::new(&bucket));
        let mut payload = word.fresh();
        prop_assert!(word.admit(&mut payload, now, 1));
        let before = payload;
        prop_assert!(word.admit(&mut payload, now, capacity - 1));
        let spend = receipt(&word, payload, now, capacity - 1);
        let mut state = word.0.unpack(payload, now);
        word.0.give_back_marked(&mut state, now, spend, capacity - 1);
        let lost = word.0.pack(&state) - before;
        prop_assert!(lost == 0 || lost < TICK && word.0.is_quick(), "{} of {}", lost, payload);
        let other = self::word(9, 1, 1);
        let (mut one, mut exact) = (word.0.unpack(payload, now), word.0.unpack(payload, now));
        other.0.give_back_marked(&mut one, now, spend, 1);
        let mark = word.mark(&payload, now);
        word.0.give_back(&mut exact, now, Spend { at: now, mark }, 1);
        prop_assert_eq!(word.0.pack(&one), word.0.pack(&exact));
    }
}

/// A tick early, or late, or by the price of the quota that the key has now: each is found out.
#[test]
fn receipts_with_mistakes_are_found_out() {
    let until_full = (1_u128 << 51) - 1;
    let kills = |wrong: &dyn Fn(&Words, Marked) -> Marked| {
        is_killed((case(), 0..8_usize), |(case, chosen)| {
            amiss(&case, chosen, |words, marked| wrong(words, marked))
        })
    };
    let by = |(spend, cost): Marked, ticks: u128| {
        let is_noted = spend.mark & until_full != until_full;
        let mark = spend.mark + u128::from(is_noted) * ticks;
        (Spend { mark, ..spend }, cost)
    };
    assert!(kills(&|_, marked| by(marked, 2)), "full later");
    assert!(kills(&|words, (spend, cost)| {
        let price = receipt(&words[1], 0, 0, 0).0.mark & !until_full;
        let mark = spend.mark & until_full | price;
        (Spend { mark, ..spend }, cost)
    }));
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
        let spend = receipt(&word, payload, now, capacity);
        let mut state = word.0.unpack(payload, now);
        word.0.give_back_marked(&mut state, now, spend, capacity);
        let lost = word.0.pack(&state) - before;
        assert!(
            lost == 0 || lost < TICK && word.0.is_quick(),
            "{capacity} at {rate}: {lost}"
        );
    }
}

/// What is given back at once, or when nobody has spent since, leaves nothing missing, whatever the
/// rate: a token's third of a tick is not lost.
#[test]
fn a_refund_at_once_leaves_the_bucket_full() {
    let thirds = word(50, 3, 1);
    for gap in [0, 1, 333_333, 333_334, 1_000_000] {
        let mut payload = thirds.fresh();
        assert!(thirds.admit(&mut payload, 7, 1));
        assert!(thirds.admit(&mut payload, 7, 5));
        let spend = receipt(&thirds, payload, 7, 5);
        let mut state = thirds.0.unpack(payload, 7 + gap);
        thirds.0.give_back_marked(&mut state, 7 + gap, spend, 5);
        let left = thirds.remaining(&thirds.0.pack(&state), 7 + gap);
        assert_eq!(left, 49 + u32::from(gap > 333_333), "{gap}");
    }
}
