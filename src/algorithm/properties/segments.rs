//! The window in parts: against its own rule, and against the exact logs on both sides of it.

mod mutants;

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::models::{LogModel, Model};
use super::receipts::{giving, oldest, strays};
use super::spends::bad_debt;
use super::{Algorithm, SegmentedWindow, Step, disagreement, is_killed, starts, trace};
use crate::algorithm::Spend;
use crate::clock::{SECOND, Ticks};

const PARTS: Ticks = SegmentedWindow::PARTS;

/// Every unit, as if it were of the last tick of its part.
struct SegmentModel {
    part: Ticks,
    log: LogModel,
}

fn last_of_part(part: Ticks, time: Ticks) -> Ticks {
    time / part * part + part - 1
}

impl SegmentModel {
    fn new(limit: u32, window: Ticks) -> Self {
        Self {
            part: window.div_ceil(PARTS),
            log: LogModel::new(limit, window),
        }
    }
}

impl Model for SegmentModel {
    fn fits(&self, now: Ticks, cost: u32) -> bool {
        self.log.fits(now, cost)
    }

    fn spend(&mut self, now: Ticks, cost: u32) {
        self.log.spend(last_of_part(self.part, now), cost);
    }

    fn refund(&mut self, now: Ticks, units: u32) {
        self.log.refund(now, units);
    }

    fn give_back(&mut self, now: Ticks, spend: &Spend, event: usize, units: u32) {
        let at = last_of_part(self.part, spend.at);
        self.log
            .give_back(now, &Spend { at, ..*spend }, event, units);
    }

    fn is_whole(&self, now: Ticks) -> bool {
        self.log.is_whole(now)
    }
}

/// Windows whose parts are one tick, a few, or many.
fn windows() -> impl Strategy<Value = Ticks> {
    prop_oneof![
        1 => 1..60_u64,
        4 => 60..400_u64,
        1 => Just(60 * SECOND),
        1 => Just(86_400 * SECOND),
        1 => (1_u64 << 32) - 3..(1 << 32) + 3,
    ]
}

/// Gaps lie around parts and windows; a few limits are so large that counts take several bytes.
fn segment_case() -> impl Strategy<Value = (u32, Ticks, Ticks, Vec<Step>)> {
    let limits = prop_oneof![6 => 1..8_u32, 2 => 100..70_000_u32, 1 => 70_000..200_000_u32];
    (limits, windows(), starts()).prop_flat_map(|(limit, window, start)| {
        let steps = trace(limit, window, window.div_ceil(PARTS));
        (Just(limit), Just(window), Just(start), steps)
    })
}

#[test]
fn segments_that_give_back_the_oldest_units_are_found_out() {
    assert!(is_killed(
        segment_case(),
        |(limit, window, start, steps)| {
            let algorithm = SegmentedWindow::new(limit, window);
            let model = SegmentModel::new(limit, window);
            strays(&algorithm, model, start, &giving(steps), oldest)
        }
    ));
}

/// What an algorithm admits that a log of this window forbids, or refuses that it allows.
fn parts_from_log(
    algorithm: &SegmentedWindow,
    window: Ticks,
    must_fit: bool,
    start: Ticks,
    steps: &[Step],
) -> Option<String> {
    let mut log = LogModel::new(algorithm.limit, window);
    let (mut state, mut now) = (algorithm.fresh(), start);
    for step in steps {
        now += step.gap;
        let (fits, admitted) = (
            log.fits(now, step.cost),
            algorithm.admit(&mut state, now, step.cost),
        );
        if admitted {
            log.spend(now, step.cost);
        }
        if fits != admitted && admitted == must_fit {
            return Some(format!(
                "{} at {now}: {admitted}, the log {fits}",
                step.cost
            ));
        }
    }
    None
}

proptest! {
    #![proptest_config(Config { cases: 1_000, ..Config::default() })]

    #[test]
    fn segments_are_their_rule((limit, window, start, steps) in segment_case()) {
        let algorithm = SegmentedWindow::new(limit, window);
        prop_assert_eq!(disagreement(&algorithm, SegmentModel::new(limit, window), start, &steps), None);
    }

    #[test]
    fn segments_give_back_from_the_part_that_counted((limit, window, start, steps) in segment_case()) {
        let algorithm = SegmentedWindow::new(limit, window);
        let model = SegmentModel::new(limit, window);
        prop_assert_eq!(strays(&algorithm, model, start, &giving(steps), Algorithm::give_back), None);
    }

    #[test]
    fn no_window_holds_more_than_the_limit((limit, window, start, steps) in segment_case()) {
        let algorithm = SegmentedWindow::new(limit, window);
        prop_assert_eq!(parts_from_log(&algorithm, window, true, start, &steps), None);
    }

    #[test]
    fn a_unit_is_back_one_part_late_at_most((limit, window, start, steps) in segment_case()) {
        let algorithm = SegmentedWindow::new(limit, window);
        let latest = window + window.div_ceil(PARTS) - 1;
        prop_assert_eq!(parts_from_log(&algorithm, latest, false, start, &steps), None);
    }

    #[test]
    fn a_debt_of_segments_is_paid_off_in_time((limit, window, start, steps) in segment_case()) {
        prop_assert_eq!(bad_debt(&SegmentedWindow::new(limit, window), start, &steps), None);
    }

    /// A changed limit forgets nothing, and a changed window counts each unit one part of either
    /// longer at most, never shorter.
    #[test]
    fn a_changed_quota_keeps_what_was_spent(
        (limit, window, start, steps) in segment_case(),
        (other, longer) in (1..8_u32, windows()),
    ) {
        let old = SegmentedWindow::new(limit, window);
        for new in [SegmentedWindow::new(other, window), SegmentedWindow::new(limit, longer)] {
            let (mut state, mut now, mut units) = (old.fresh(), start, Vec::new());
            for step in &steps {
                now += step.gap;
                if old.admit(&mut state, now, step.cost) {
                    units.push((now, step.cost));
                }
            }
            new.adopt(&old, &mut state, now);
            let of_old = |time| last_of_part(old.part(), time);
            let of_new = |time| if new.window == old.window {
                of_old(time)
            } else {
                last_of_part(new.part(), of_old(time).min(now))
            };
            let counts = |at: Ticks| -> u32 {
                let live = units.iter().filter(|(time, _)| {
                    of_old(*time) + old.window > now && of_new(*time) + new.window > at
                });
                live.map(|(_, cost)| cost).sum()
            };
            for at in [now, now + new.part(), now + new.window / 2, now + new.window, now + new.window + new.part()] {
                prop_assert_eq!(new.remaining(&state, at), new.limit.saturating_sub(counts(at)));
                prop_assert_eq!(new.reset_after(&state, at) == 0, counts(at) == 0);
            }
        }
    }
}

/// 61 parts count at once, for three windows, whether their numbers are short or long.
#[test]
fn a_window_whose_every_part_is_in_use_is_its_rule() {
    for (limit, cost) in [
        (50, 1),
        (70, 1),
        (65_535, 1_074),
        (65_535, 1_300),
        (u32::MAX, 1 << 26),
    ] {
        for window in [60, 600, 617, 60 * SECOND] {
            let part = window.div_ceil(PARTS);
            let steps: Vec<_> = (0..200_u32)
                .map(|step| Step {
                    gap: if step % 7 == 0 { 0 } else { part },
                    refund: step % 11 == 10,
                    cost,
                })
                .collect();
            let (algorithm, model) = (
                SegmentedWindow::new(limit, window),
                Heavy::new(limit, window),
            );
            assert_eq!(
                disagreement(&algorithm, model, 7, &steps),
                None,
                "{limit} in {window}"
            );
        }
    }
}

/// The rule again, for costs that no list of units holds: one entry a call.
struct Heavy {
    limit: u32,
    window: Ticks,
    spent: Vec<(Ticks, u32)>,
}

impl Heavy {
    fn new(limit: u32, window: Ticks) -> Self {
        Self {
            limit,
            window,
            spent: Vec::new(),
        }
    }

    fn live(&self, now: Ticks) -> u64 {
        let part = self.window.div_ceil(PARTS);
        let live = self
            .spent
            .iter()
            .filter(|(time, _)| last_of_part(part, *time) + self.window > now);
        live.map(|(_, units)| u64::from(*units)).sum()
    }
}

impl Model for Heavy {
    fn fits(&self, now: Ticks, cost: u32) -> bool {
        self.live(now) + u64::from(cost) <= u64::from(self.limit)
    }

    fn spend(&mut self, now: Ticks, cost: u32) {
        self.spent.push((now, cost));
    }

    fn refund(&mut self, now: Ticks, mut units: u32) {
        let part = self.window.div_ceil(PARTS);
        for (time, had) in &mut self.spent {
            if last_of_part(part, *time) + self.window > now {
                let goes = units.min(*had);
                (*had, units) = (*had - goes, units - goes);
            }
        }
    }

    fn give_back(&mut self, _now: Ticks, _spend: &Spend, _event: usize, _units: u32) {
        unreachable!("no trace of this model gives anything back by receipt")
    }

    fn is_whole(&self, now: Ticks) -> bool {
        self.live(now) == 0
    }
}
