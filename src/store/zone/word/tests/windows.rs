//! The fixed window and the sliding counter.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::{Packed, jittered};
use crate::algorithm::properties::models::{CounterModel, FixedModel};
use crate::algorithm::properties::receipts::{giving, strays};
use crate::algorithm::properties::spends::{bad_debt, parted};
use crate::algorithm::properties::{disagreement, window_case};
use crate::algorithm::{Algorithm, FixedWindow, SlidingCounter};
use crate::clock::SECOND;
use crate::store::zone::word::Word;

proptest! {
    #![proptest_config(Config { cases: 200, ..Config::default() })]

    #[test]
    fn a_fixed_window_is_exact((limit, window, start, steps) in window_case(), most in 0..60_u64) {
        let word = Packed(FixedWindow::new(limit, window));
        let model = || FixedModel::new(limit, window);
        prop_assert_eq!(disagreement(&word, model(), start, &steps), None);
        prop_assert_eq!(jittered(&word, model(), (start, most), &steps), None);
        prop_assert_eq!(parted(&word, start, &steps), None);
        prop_assert_eq!(bad_debt(&word, start, &steps), None);
        prop_assert_eq!(strays(&word, model(), start, &giving(steps), Algorithm::give_back), None);
    }

    #[test]
    fn a_sliding_counter_is_the_integer_form((limit, window, start, steps) in window_case(), most in 0..60_u64) {
        let word = Packed(SlidingCounter { limit, window });
        let model = || CounterModel::new(limit, window);
        prop_assert_eq!(disagreement(&word, model(), start, &steps), None);
        prop_assert_eq!(jittered(&word, model(), (start, most), &steps), None);
        prop_assert_eq!(parted(&word, start, &steps), None);
        prop_assert_eq!(bad_debt(&word, start, &steps), None);
        prop_assert_eq!(strays(&word, model(), start, &giving(steps), Algorithm::give_back), None);
    }
}

/// As in memory: what was spent goes on to count, in the window that is running by the new time.
#[test]
fn a_step_of_the_wall_clock_forgets_nothing_and_keeps_no_end_of_the_old_time() {
    let before = FixedWindow::new(3, 60 * SECOND);
    for step in [
        -7 * SECOND.cast_signed(),
        7 * SECOND.cast_signed(),
        -3_600 * SECOND.cast_signed(),
    ] {
        let (mut state, now) = (before.fresh(), 12_000 * SECOND + 20 * SECOND);
        assert!(before.admit(&mut state, now, 2));
        let payload = before.pack(&state);
        let after = before.clone().aligned(step);
        let is_moved = step % (60 * SECOND.cast_signed()) != 0;
        assert_eq!(after.is_ahead(payload, now), is_moved);
        let mut state = after.unpack(payload, now);
        assert_eq!(after.remaining(&state, now), 1);
        let end = now.saturating_add_signed(step) + after.reset_after(&state, now);
        assert!(end.is_multiple_of(60 * SECOND), "{end}");
        assert!(after.admit(&mut state, now, 1) && !after.admit(&mut state, now, 1));
    }
}
