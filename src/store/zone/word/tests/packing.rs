//! Bits and states, there and back; and numbers that have gone round.

use proptest::prelude::*;

use super::Packed;
use crate::algorithm::properties::bucket;
use crate::algorithm::{Algorithm, FixedWindow, SlidingCounter};
use crate::clock::{SECOND, Ticks};
use crate::store::zone::PAYLOAD_BITS;
use crate::store::zone::word::{BucketWord, Counters, Word};

/// Whatever is unpacked is packed to what tells the same.
fn comes_back<W: Word>(
    word: &W,
    payload: u128,
    now: Ticks,
) -> std::result::Result<(), TestCaseError> {
    let told = |payload| {
        let state = word.unpack(payload, now);
        let waits = [1, word.limit()].map(|cost| word.look(&state, now, cost));
        (
            waits,
            word.reset_after(&state, now),
            word.first_free_at(&state, now),
        )
    };
    let again = word.pack(&word.unpack(payload, now));
    prop_assert!(again >> PAYLOAD_BITS == 0);
    prop_assert_eq!(told(payload), told(again), "{:x} and {:x}", payload, again);
    Ok(())
}

proptest! {
    #[test]
    fn any_bits_come_back(payload in 0..(1_u128 << PAYLOAD_BITS), now in 0..(1_u64 << 53), window in 1..1_000_000_u64, limit in 1..1_024_u32) {
        comes_back(&FixedWindow::new(limit, window), payload, now)?;
        comes_back(&SlidingCounter { limit, window }, payload, now)?;
        comes_back(&BucketWord::new(&bucket(limit, 3, 7, limit, 0)), payload, now)?;
        comes_back(&Counters::permits(limit, window), payload, now)?;
        for bits in [1, 8, 10, 16, 20, 32] {
            comes_back(&Counters::segments(limit, window, bits), payload, now)?;
        }
    }
}

/// How long the key is not idle after a time when its number has gone round, if it has been left since.
fn counts_after(word: &Packed<Counters>, start: Ticks, later: Ticks) -> Ticks {
    let mut state = word.fresh();
    assert!(word.admit(&mut state, start, 1));
    let now = start + later;
    word.0.reset_after(&word.0.unpack(state, now), now)
}

#[test]
fn a_number_that_has_gone_round_is_long_past() {
    for (word, part) in [
        (Packed(Counters::segments(5, 7 * SECOND, 10)), SECOND),
        (Packed(Counters::permits(5, 4 * SECOND)), SECOND),
    ] {
        let round = part << 30;
        for start in [0, 3, round - part, 5 * round] {
            for later in [
                round / 2,
                round - 20 * part,
                round + 20 * part,
                3 * round / 2,
            ] {
                assert_eq!(counts_after(&word, start, later), 0, "{start} {later}");
            }
            // Only in the very window a round later it is taken for new, and then it ends with it.
            assert!(counts_after(&word, start, round) <= word.window() + 2 * part);
        }
    }
    let word = Packed(SlidingCounter {
        limit: 5,
        window: 3,
    });
    let mut state = word.fresh();
    assert!(word.admit(&mut state, 7, 5));
    assert!(word.look(&state, 7 + 3 * (1 << 45), 5).fits);
    assert!(word.look(&state, 7 + 3 * ((1 << 46) - 20_000), 5).fits);
}

#[test]
fn a_clock_that_was_read_long_ago_is_read_again() {
    let now = 1_000_000 * SECOND;
    let segments = Counters::segments(5, 7 * SECOND, 10);
    let mut state = segments.fresh();
    assert!(segments.admit(&mut state, now, 1));
    let payload = segments.pack(&state);
    assert!(!segments.is_ahead(payload, now) && segments.is_ahead(payload, now - SECOND));
    assert!(segments.is_ahead(payload, now - 1_000 * SECOND));
    let counter = SlidingCounter {
        limit: 5,
        window: SECOND,
    };
    let mut state = counter.fresh();
    assert!(counter.admit(&mut state, now, 1));
    let payload = counter.pack(&state);
    assert!(!counter.is_ahead(payload, now) && counter.is_ahead(payload, now - 90 * SECOND));
    let fixed = FixedWindow::new(5, SECOND);
    let mut state = fixed.fresh();
    assert!(fixed.admit(&mut state, now, 1));
    let payload = fixed.pack(&state);
    assert!(!fixed.is_ahead(payload, now) && fixed.is_ahead(payload, now - SECOND));
}
