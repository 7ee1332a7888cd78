//! What a client takes, and numbers of every length.

use super::*;
use crate::clock::SECOND;

const MINUTE: Ticks = 60 * SECOND;

/// Bytes on the heap when units are spent in the first tick of each part: then 61 parts count.
fn heap(limit: u32, units: impl Fn(u64) -> u32) -> usize {
    let algorithm = SegmentedWindow::new(limit, MINUTE);
    let (mut state, mut most) = (algorithm.fresh(), 0);
    for part in 0..3 * SegmentedWindow::PARTS {
        let now = part * SECOND;
        let units = units(part);
        if units > 0 {
            algorithm.spend(&mut state, now, units);
        }
        most = most.max(state.older.size());
    }
    most
}

#[test]
fn a_client_takes_at_most_132_bytes_on_the_heap_up_to_65_535() {
    let limit = 65_535;
    assert_eq!(heap(limit, |_| 1), 61, "a byte each, and one");
    assert_eq!(heap(limit, |_| 1_000), 121);
    // A debt of a whole quota, in the numbers that take the most bytes.
    let most = heap(limit, |part| if part % 60 < 7 { 16_384 } else { 128 });
    assert!((125..=132).contains(&most), "{most}");
    assert_eq!(
        heap(limit, |part| u32::from(part % 60 == 0)),
        4,
        "a gap of 59"
    );
}

#[test]
fn the_largest_counts_fit_their_block() {
    let units = |part| if part % 60 < 15 { 1 << 28 } else { 1 << 21 };
    assert!(heap(u32::MAX, units) <= 256);
}

#[test]
fn one_part_takes_no_block_and_none_keeps_none() {
    let algorithm = SegmentedWindow::new(10, MINUTE);
    let mut state = algorithm.fresh();
    assert!((0..10).all(|tick| algorithm.admit(&mut state, tick, 1)));
    assert_eq!(state.older.size(), 0);
    algorithm.refund(&mut state, 10, 4);
    assert!(algorithm.admit(&mut state, MINUTE / 2, 4));
    assert_eq!(state.older.size(), 4);
    algorithm.refund(&mut state, MINUTE / 2, 6);
    assert_eq!(state.older.size(), 0, "the older part was given back");
    assert_eq!(algorithm.remaining(&state, MINUTE / 2), 6);
}

#[test]
fn numbers_of_every_length_come_back() {
    for bits in 0..32 {
        for units in [
            (1_u32 << bits) - u32::from(bits > 0),
            1 << bits,
            u32::MAX >> bits,
        ] {
            for ahead in [1, 2, 60] {
                let mut older = Older::default();
                older.append(0, 0, units, ahead);
                older.append(0, ahead, 7, 1);
                let parts: Vec<_> = older.iter().map(|part| (part.back, part.units)).collect();
                assert_eq!(parts, [(ahead + 1, units), (1, 7)]);
                assert_eq!(older.take_oldest(units - 1), 0);
                let first = older.iter().next().map(|part| (part.back, part.units));
                assert_eq!(first, Some((ahead + 1, 1)));
                assert_eq!(older.take_oldest(8), 0);
                assert_eq!(older.size(), 0);
            }
        }
    }
}

#[test]
fn a_debt_is_one_whole_quota_at_most() {
    let algorithm = SegmentedWindow::new(10, MINUTE);
    let mut state = algorithm.fresh();
    algorithm.spend(&mut state, 0, 7);
    algorithm.spend(&mut state, SECOND, u32::MAX);
    assert_eq!((state.sum, state.newest), (20, 13));
    let lower = SegmentedWindow::new(3, MINUTE);
    lower.adopt(&algorithm, &mut state, SECOND);
    lower.spend(&mut state, 2 * SECOND, 1);
    assert_eq!(
        (state.sum, state.end),
        (20, 2 * SECOND),
        "nothing was counted"
    );
    // When the 7 of the first part have left, 13 of 3 are left: the wait is for the second.
    assert_eq!(lower.wait(&state, SECOND, 1), Some(MINUTE + SECOND - 1));
}

#[test]
fn the_first_free_slot_is_that_of_the_oldest_part_that_counts() {
    let algorithm = SegmentedWindow::new(10, MINUTE);
    let mut state = algorithm.fresh();
    assert_eq!(algorithm.first_free_at(&state, 5), None);
    algorithm.spend(&mut state, 0, 1);
    algorithm.spend(&mut state, 9 * SECOND, 1);
    let (first, second) = (MINUTE + SECOND - 1, MINUTE + 10 * SECOND - 1);
    assert_eq!(algorithm.first_free_at(&state, first - 1), Some(first));
    assert_eq!(algorithm.first_free_at(&state, first), Some(second));
    assert_eq!(algorithm.first_free_at(&state, second), None);
}
