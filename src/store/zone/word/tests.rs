//! Every word against a slow, obvious model, through its 110 bits; and mutants.

mod buckets;
mod layouts;
mod mutants;
mod packing;
mod permits;
mod refunds;
mod segments;
mod windows;

use super::{Word, is_idle};
use crate::algorithm::properties::Step;
use crate::algorithm::properties::models::Model;
use crate::algorithm::{Algorithm, Spend, StatePlan};
use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::Quota;
use crate::store::zone::PAYLOAD_BITS;

/// A word as a zone uses it: all that is kept of a key are the bits.
#[derive(Clone, Debug)]
struct Packed<W>(W);

impl<W: Word> Packed<W> {
    fn with<R>(
        &self,
        payload: &mut u128,
        now: Ticks,
        act: impl FnOnce(&W, &mut W::State) -> R,
    ) -> R {
        let mut state = self.0.unpack(*payload, now);
        let done = act(&self.0, &mut state);
        *payload = self.0.pack(&state);
        assert!(*payload >> PAYLOAD_BITS == 0, "{payload:x} is too long");
        done
    }
}

impl<W: Word> Algorithm for Packed<W> {
    type State = u128;
    type Plan = StatePlan<Self>;

    const MARKS_WHAT_IS_MISSING: bool = W::MARKS_WHAT_IS_MISSING;

    fn limit(&self) -> u32 {
        self.0.limit()
    }

    fn window(&self) -> Ticks {
        self.0.window()
    }

    fn fresh(&self) -> u128 {
        0
    }

    fn spend(&self, payload: &mut u128, now: Ticks, cost: u32) -> u32 {
        self.with(payload, now, |word, state| word.spend(state, now, cost))
    }

    /// What is refused changes nothing.
    fn admit(&self, payload: &mut u128, now: Ticks, cost: u32) -> bool {
        let before = *payload;
        let admitted = self.with(payload, now, |word, state| word.admit(state, now, cost));
        if !admitted {
            *payload = before;
        }
        admitted
    }

    fn wait(&self, payload: &u128, now: Ticks, cost: u32) -> Option<Ticks> {
        self.0.wait(&self.0.unpack(*payload, now), now, cost)
    }

    fn remaining(&self, payload: &u128, now: Ticks) -> u32 {
        self.0.remaining(&self.0.unpack(*payload, now), now)
    }

    fn reset_after(&self, payload: &u128, now: Ticks) -> Ticks {
        let left = self.0.reset_after(&self.0.unpack(*payload, now), now);
        let (window, bits) = (self.0.registered_window(), self.0.bits());
        let idle = is_idle(self.0.kind(), window, bits, *payload, now);
        assert_eq!(idle, left == 0, "{payload:x} at {now}");
        left
    }

    fn mark(&self, payload: &u128, now: Ticks) -> u128 {
        self.0.mark(&self.0.unpack(*payload, now), now)
    }

    fn give_back(&self, payload: &mut u128, now: Ticks, spend: Spend, units: u32) {
        self.with(payload, now, |word, state| {
            word.give_back(state, now, spend, units);
        });
    }

    fn refund(&self, payload: &mut u128, now: Ticks, units: u32) {
        self.with(payload, now, |word, state| word.refund(state, now, units));
    }

    fn first_free_at(&self, payload: &u128, now: Ticks) -> Option<Ticks> {
        self.0.first_free_at(&self.0.unpack(*payload, now), now)
    }

    fn under(&self, quota: &Quota) -> Result<Self> {
        self.0.under(quota).map(Self)
    }

    fn adopt(&self, _old: &Self, _state: &mut u128, _now: Ticks) {}
}

/// Clocks of several processes: each call's is up to `most` ticks old. What is admitted is what the
/// latest of them admits, and no call by a clock that is not behind is refused but by the model.
fn jittered<A: Algorithm>(
    algorithm: &A,
    mut model: impl Model,
    (start, most): (Ticks, Ticks),
    steps: &[Step],
) -> Option<String> {
    let (mut state, mut time, mut latest) = (algorithm.fresh(), start, 0);
    for (index, step) in steps.iter().enumerate() {
        time += step.gap;
        let behind = (index as Ticks).wrapping_mul(7_919) % (most + 1);
        let now = time.saturating_sub(behind);
        let at = now.max(latest);
        let fits = model.fits(at, step.cost);
        let wait = algorithm.wait(&state, now, step.cost);
        let allowed = algorithm.admit(&mut state, now, step.cost);
        if allowed != (wait == Some(0)) {
            return Some(format!("step {index} at {now}: a wait of {wait:?}"));
        }
        if allowed && !fits || fits && !allowed && now >= latest {
            return Some(format!("step {index} at {now}: {allowed}, not {fits}"));
        }
        if allowed {
            latest = at;
            model.spend(at, step.cost);
        }
    }
    None
}
