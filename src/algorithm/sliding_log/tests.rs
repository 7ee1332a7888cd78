//! The memory of a log: given back, and not over and over.

use proptest::prelude::*;

use super::log::SMALL;
use super::*;

fn algorithm(limit: u32, window: Ticks) -> SlidingLog {
    SlidingLog { limit, window }
}

/// How often the log of `algorithm` moves to other memory while so many units come at each tick.
fn moves(algorithm: &SlidingLog, units: impl IntoIterator<Item = u32>) -> usize {
    let mut state = algorithm.fresh();
    let (mut room, mut moves) = (0, 0);
    for (now, units) in units.into_iter().enumerate() {
        for _ in 0..units {
            algorithm.admit(&mut state, now as Ticks, 1);
            moves += usize::from(room != state.older.capacity());
            room = state.older.capacity();
        }
    }
    moves
}

#[test]
fn a_peak_is_forgotten() {
    for window in [1_000, 1 << 33] {
        let algorithm = algorithm(200_000, window);
        let mut state = algorithm.fresh();
        assert!((0..100_000).all(|unit| algorithm.admit(&mut state, unit / 1_000, 1)));
        assert!(state.older.capacity() >= 100_000);
        // Six more come just before all others go, and one when they have gone.
        let last = window + 99;
        for _ in 0..6 {
            algorithm.admit(&mut state, last - 1, 1);
        }
        algorithm.admit(&mut state, last, 1);
        assert_eq!(algorithm.len(&state), 7);
        assert!(
            state.older.capacity() <= SMALL,
            "{}",
            state.older.capacity()
        );
    }
}

#[test]
fn steady_traffic_stays_where_it_is() {
    let algorithm = algorithm(2_000, 1_000);
    assert!(
        moves(&algorithm, (0..100_000).map(|_| 1)) <= 12,
        "grown once"
    );
    // It falls to half and comes back, a hundred times.
    let waves = (0..200_000).map(|now| if now / 1_000 % 2 == 0 { 2 } else { 1 });
    assert!(moves(&algorithm, waves) <= 13);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// After each call most of the room is in use, and moving costs no more than was spent.
    #[test]
    fn memory_follows_what_is_live(
        wide: bool,
        calls in prop::collection::vec((0..40_u64, 1..60_u32, prop::bool::weighted(0.1)), 1..400),
    ) {
        let window = if wide { (1 << 32) + 100 } else { 300 };
        let algorithm = algorithm(5_000, window);
        let (mut state, mut now) = (algorithm.fresh(), 0);
        let (mut room, mut moved, mut spent) = (0, 0, 0);
        for (gap, cost, long) in calls {
            now += if long { window } else { gap };
            if algorithm.admit(&mut state, now, cost) {
                spent += cost as usize * algorithm.words();
            }
            let (words, capacity) = (state.older.len(), state.older.capacity());
            prop_assert!(capacity <= SMALL.max(4 * words + 2), "{capacity} for {words}");
            if capacity != room {
                moved += words;
                room = capacity;
            }
        }
        prop_assert!(moved <= 4 * spent, "{moved} words moved, {spent} spent");
    }
}
