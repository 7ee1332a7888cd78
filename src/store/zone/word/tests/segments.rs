//! Segments: against their own rule, and against the exact logs on both sides of it.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::{Packed, jittered};
use crate::algorithm::properties::models::{LogModel, Model};
use crate::algorithm::properties::receipts::{giving, strays};
use crate::algorithm::properties::spends::{bad_debt, parted};
use crate::algorithm::properties::{Step, disagreement, starts, trace};
use crate::algorithm::{Algorithm, Spend};
use crate::clock::{SECOND, Ticks};
use crate::store::zone::word::{Counters, lateness, parts_for, segmented_window};

/// Every unit, as if it were of the last tick of its part.
pub(super) struct PartsModel {
    part: Ticks,
    log: LogModel,
}

impl PartsModel {
    pub(super) fn new(limit: u32, window: Ticks, parts: u8) -> Self {
        Self {
            part: window.div_ceil(parts.into()),
            log: LogModel::new(limit, window),
        }
    }

    fn last(&self, time: Ticks) -> Ticks {
        time / self.part * self.part + self.part - 1
    }
}

impl Model for PartsModel {
    fn fits(&self, now: Ticks, cost: u32) -> bool {
        self.log.fits(now, cost)
    }

    fn spend(&mut self, now: Ticks, cost: u32) {
        self.log.spend(self.last(now), cost);
    }

    fn refund(&mut self, now: Ticks, units: u32) {
        self.log.refund(now, units);
    }

    fn give_back(&mut self, now: Ticks, spend: &Spend, event: usize, units: u32) {
        let at = self.last(spend.at);
        self.log
            .give_back(now, &Spend { at, ..*spend }, event, units);
    }

    fn is_whole(&self, now: Ticks) -> bool {
        self.log.is_whole(now)
    }
}

/// A limit, the largest it is laid out for, a window, a start and a trace.
pub(super) type Case = (u32, u32, Ticks, Ticks, Vec<Step>);

pub(super) fn case() -> impl Strategy<Value = Case> {
    let windows = prop_oneof![
        2 => 1..60_u64,
        4 => 60..400_u64,
        1 => Just(60 * SECOND),
        1 => Just(86_400 * SECOND),
    ];
    let largest = prop_oneof![
        2 => Just(1),
        2 => Just(8),
        4 => Just(1_023),
        1 => Just(10_000),
        1 => Just(100_000),
        1 => Just(u32::MAX)
    ];
    (1..9_u32, largest, windows, starts()).prop_flat_map(|(limit, largest, window, start)| {
        let limit = limit.min(largest);
        let steps = trace(limit, window, lateness(largest, window));
        (Just(limit), Just(largest), Just(window), Just(start), steps)
    })
}

pub(super) fn segments(limit: u32, largest: u32, window: Ticks) -> Counters {
    let bits = segmented_window::bits_for(largest);
    segmented_window::laid_out(limit, window, Some(bits)).expect("within the largest")
}

/// What a word admits that a log of this window forbids, or refuses that it allows.
fn parts_from_log(
    word: &impl Algorithm,
    window: Ticks,
    start: Ticks,
    must_fit: bool,
    steps: &[Step],
) -> Option<String> {
    let mut log = LogModel::new(word.limit(), window);
    let (mut state, mut now) = (word.fresh(), start);
    for step in steps {
        now += step.gap;
        let fits = log.fits(now, step.cost);
        // A word keeps its state in another type than the log's.
        let admitted = word.admit(&mut state, now, step.cost);
        if admitted {
            log.spend(now, step.cost);
        }
        if fits != admitted && admitted == must_fit {
            return Some(format!("{} at {now}: {admitted}", step.cost));
        }
    }
    None
}

proptest! {
    #![proptest_config(Config { cases: 200, ..Config::default() })]

    #[test]
    fn segments_are_their_rule((limit, largest, window, start, steps) in case(), most in 0..60_u64) {
        let word = Packed(segments(limit, largest, window));
        let model = || PartsModel::new(limit, window, parts_for(largest));
        prop_assert_eq!(disagreement(&word, model(), start, &steps), None);
        prop_assert_eq!(jittered(&word, model(), (start, most), &steps), None);
        prop_assert_eq!(parted(&word, start, &steps), None);
        prop_assert_eq!(strays(&word, model(), start, &giving(steps.clone()), Algorithm::give_back), None);
        prop_assert_eq!(bad_debt(&word, start, &steps), None);
    }

    #[test]
    fn no_window_holds_more_and_a_unit_is_one_part_late_at_most((limit, largest, window, start, steps) in case()) {
        let word = Packed(segments(limit, largest, window));
        prop_assert_eq!(parts_from_log(&word, window, start, true, &steps), None);
        let latest = window + lateness(largest, window) - 1;
        prop_assert_eq!(parts_from_log(&word, latest, start, false, &steps), None);
    }

    /// Another limit in the same layout forgets nothing and admits nothing beside what was spent.
    #[test]
    fn another_amount_goes_on_with_what_was_spent((limit, largest, window, start, steps) in case(), other in 1..9_u32) {
        let (one, two) = (segments(limit, largest, window), segments(other.min(largest), largest, window));
        let mut log = PartsModel::new(u32::MAX, window, parts_for(largest));
        let (mut state, mut now) = (0, start);
        for (index, step) in steps.iter().enumerate() {
            now += step.gap;
            let word = Packed(if index % 3 == 0 { two.clone() } else { one.clone() });
            let used = log.log.live(now) as u32;
            prop_assert_eq!(word.remaining(&state, now), word.limit().saturating_sub(used));
            let cost = step.cost.min(word.limit());
            if word.admit(&mut state, now, cost) {
                prop_assert!(used + cost <= word.limit());
                log.spend(now, cost);
            }
        }
    }
}
