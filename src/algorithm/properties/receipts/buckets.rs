//! A bucket's receipts: never above what would be there had their spends not been.

use super::*;

/// Two buckets: in one of them some spends never were, in the other they come back one after the
/// other. At the end there is no more in the first than in the second, and as much if it was one
/// spend, and nobody spent since.
fn exceeds(
    algorithm: &TokenBucket,
    start: Ticks,
    steps: &[Step],
    which: usize,
    give_back: GiveBack<TokenBucket>,
) -> Option<String> {
    let mut books = Books::new(algorithm, give_back);
    let mut without = algorithm.fresh();
    let mut receipts: Vec<Receipt> = Vec::new();
    let mut alone = true;
    let mut now = start;
    for (index, step) in steps.iter().enumerate() {
        now += step.gap;
        if step.refund {
            if let Some(receipt) = picked(&mut receipts, index) {
                books.take_back(now, receipt, step.cost);
            }
        } else if algorithm.admit(&mut books.state, now, step.cost) {
            if index == which || which > 9 && index % 3 == which % 3 {
                receipts.push(books.receipt(now, step.cost));
            } else {
                alone &= receipts.is_empty();
                algorithm.spend(&mut without, now, step.cost);
            }
        }
    }
    if which.is_multiple_of(2) {
        receipts.reverse();
    }
    for receipt in &mut receipts {
        // Half at once, so that the other half still waits.
        for units in [receipt.left / 2, u32::MAX] {
            books.take_back(now, receipt, units);
        }
    }
    let (with, without) = (
        told_of(algorithm, &books.state, now),
        told_of(algorithm, &without, now),
    );
    if with.0 < without.0 || with.1 > without.1 {
        return Some(format!("{with:?} is above {without:?}, which it would be"));
    }
    let is_exact = alone && receipts.len() == 1;
    (is_exact && with != without).then(|| format!("{with:?} is not {without:?}, and nobody spent"))
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
    fn a_bucket_is_never_above_what_it_would_be(
        (capacity, tokens, seconds, initial, start, steps) in bucket_case(),
        which in 0..20_usize,
    ) {
        let algorithm = bucket(capacity, tokens, seconds, initial, start);
        prop_assert_eq!(exceeds(&algorithm, start, &steps, which, Algorithm::give_back), None);
    }
}

/// Knows nothing of what has come back before.
fn forgetful(
    algorithm: &TokenBucket,
    state: &mut <TokenBucket as Algorithm>::State,
    now: Ticks,
    spend: Spend,
    units: u32,
) {
    let mark = spend.mark + u128::from(algorithm.grains_of().1);
    algorithm.give_back(state, now, Spend { mark, ..spend }, units);
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
