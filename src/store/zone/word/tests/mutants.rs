//! Words with mistakes that are easily made. Each must be told from the real thing.

use super::{Packed, buckets, permits, segments};
use crate::algorithm::properties::models::BucketModel;
use crate::algorithm::properties::{bucket_case, disagreement, is_killed};
use crate::clock::Ticks;
use crate::store::zone::word::{Counters, parts_for};

fn kills_segments(wrong: impl Fn(Counters) -> Counters) -> bool {
    is_killed(
        segments::case(),
        |(limit, largest, window, start, steps)| {
            let word = Packed(wrong(segments::segments(limit, largest, window)));
            let model = segments::PartsModel::new(limit, window, parts_for(largest));
            disagreement(&word, model, start, &steps)
        },
    )
}

fn kills_permits(wrong: impl Fn(Counters) -> Counters) -> bool {
    is_killed(permits::case(), |(limit, lease, start, steps)| {
        let word = Packed(wrong(Counters::permits(limit, lease)));
        disagreement(&word, permits::LeaseModel::new(limit, lease), start, &steps)
    })
}

fn later(word: &Counters, by: i64) -> Ticks {
    word.lasts.saturating_add_signed(by)
}

#[test]
fn segments_that_free_a_part_too_early_or_too_late_are_found_out() {
    assert!(kills_segments(|word| Counters {
        lasts: later(&word, -1),
        ..word
    }));
    assert!(kills_segments(|word| Counters {
        lasts: later(&word, 1),
        ..word
    }));
    // As many counters as parts: the oldest part of a window that has its end is forgotten.
    assert!(kills_segments(|word| Counters {
        counters: (word.counters - 1).max(1),
        ..word
    }));
}

#[test]
fn permits_that_are_rounded_down_are_found_out() {
    assert!(kills_permits(|word| Counters {
        ahead: word.window,
        ..word
    }));
    assert!(kills_permits(|word| Counters {
        ahead: word.ahead + 1,
        ..word
    }));
    assert!(kills_permits(|word| Counters {
        counters: 4,
        ..word
    }));
}

#[test]
fn a_bucket_whose_tokens_are_too_cheap_or_too_dear_is_found_out() {
    for (price, killed) in [(-1_i128 << 56, true), (0, false), (1 << 58, true)] {
        let found = is_killed(
            bucket_case(),
            |(capacity, tokens, seconds, _, start, steps)| {
                let word = Packed(buckets::word(capacity, tokens, seconds).0.mispriced(price));
                let model = BucketModel::new(capacity, tokens, seconds, capacity, start);
                buckets::untimely(&word, model, start, &steps)
            },
        );
        assert_eq!(found, killed, "{price}");
    }
}
