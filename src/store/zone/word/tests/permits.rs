//! Permits: each counts from when it is taken until its lease is over, and a quarter longer at most.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::{Packed, jittered};
use crate::algorithm::properties::models::{LogModel, Model};
use crate::algorithm::properties::receipts::{giving, strays};
use crate::algorithm::properties::{Step, disagreement, starts, trace};
use crate::algorithm::{Algorithm, Spend};
use crate::clock::{SECOND, Ticks};
use crate::store::zone::word::Counters;

/// Every permit, by the time at which it lapses.
pub(super) struct LeaseModel {
    lease: Ticks,
    lapses: LogModel,
}

impl LeaseModel {
    pub(super) fn new(limit: u32, lease: Ticks) -> Self {
        let lapses = LogModel::new(limit, 0);
        Self { lease, lapses }
    }

    fn lapses_at(&self, taken: Ticks) -> Ticks {
        let part = self.lease.div_ceil(4);
        (taken + self.lease).div_ceil(part) * part
    }
}

impl Model for LeaseModel {
    fn fits(&self, now: Ticks, cost: u32) -> bool {
        self.lapses.fits(now, cost)
    }

    fn spend(&mut self, now: Ticks, cost: u32) {
        self.lapses.spend(self.lapses_at(now), cost);
    }

    fn refund(&mut self, now: Ticks, units: u32) {
        self.lapses.refund(now, units);
    }

    fn give_back(&mut self, now: Ticks, spend: &Spend, event: usize, units: u32) {
        let at = self.lapses_at(spend.at);
        self.lapses
            .give_back(now, &Spend { at, ..*spend }, event, units);
    }

    fn is_whole(&self, now: Ticks) -> bool {
        self.lapses.is_whole(now)
    }
}

pub(super) fn case() -> impl Strategy<Value = (u32, Ticks, Ticks, Vec<Step>)> {
    let leases = prop_oneof![4 => 1..50_u64, 1 => Just(30 * SECOND)];
    (1..8_u32, leases, starts()).prop_flat_map(|(limit, lease, start)| {
        let steps = trace(limit, lease, lease.div_ceil(4));
        (Just(limit), Just(lease), Just(start), steps)
    })
}

proptest! {
    #![proptest_config(Config { cases: 200, ..Config::default() })]

    #[test]
    fn permits_lapse_by_their_rule((limit, lease, start, steps) in case(), most in 0..60_u64) {
        let word = Packed(Counters::permits(limit, lease));
        let model = || LeaseModel::new(limit, lease);
        prop_assert_eq!(disagreement(&word, model(), start, &steps), None);
        prop_assert_eq!(jittered(&word, model(), (start, most), &steps), None);
        prop_assert_eq!(strays(&word, model(), start, &giving(steps), Algorithm::give_back), None);
    }

    #[test]
    fn a_permit_is_held_never_too_short_and_a_quarter_too_long_at_most(lease in 1..1_000_000_u64, start in starts()) {
        let word = Packed(Counters::permits(1, lease));
        let mut state = word.fresh();
        prop_assert!(word.admit(&mut state, start, 1));
        let held = word.reset_after(&state, start);
        prop_assert!(held >= lease && held < lease + lease.div_ceil(4), "{} of {}", held, lease);
    }
}

#[test]
fn the_most_permits_fit_a_counter() {
    let word = Packed(Counters::permits(65_535, 30 * SECOND));
    let mut state = word.fresh();
    assert!(word.admit(&mut state, 5, 65_534) && word.admit(&mut state, 5, 1));
    assert!(!word.admit(&mut state, 5, 1));
    assert_eq!(word.spend(&mut state, 5, u32::MAX), 0, "no room for a debt");
    assert_eq!(word.spend(&mut state, 5 + 8 * SECOND, u32::MAX), 65_535);
    assert_eq!(
        word.0.used(
            &crate::store::zone::word::Word::unpack(&word.0, state, 6),
            6
        ),
        131_070
    );
}
