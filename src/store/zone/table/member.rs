//! A key as it was found in a slot, to be changed by one swap.

use super::slot::{Slot, State};
use super::steps::{Step, at};
use super::tenancy::Tenancy;

/// What a check works on, in most cases: it asks nobody else, and is decided without a closure.
pub(super) struct Member<'a> {
    pub(super) slot: &'a Slot,
    pub(super) state: State,
    /// Where it lies.
    pub(super) tenancy: Tenancy,
}

impl Member<'_> {
    /// What is held.
    #[inline]
    pub(super) fn payload(&self) -> u128 {
        self.state.payload()
    }

    /// Hold this instead. False: somebody else was faster.
    #[inline]
    pub(super) fn swap(&self, payload: u128) -> bool {
        at(Step::Spend);
        let swapped = self.slot.swap(self.state, self.state.with(payload));
        at(Step::Spent);
        swapped.is_ok()
    }
}
