//! A key as it was found in a slot, to be changed by one swap.

use super::slot::{Slot, State};
use super::tenancy::Tenancy;
use crate::store::zone::steps::{Step, at};

/// What a check works on, in most cases: it asks nobody else, and is decided without a closure.
pub(in crate::store::zone) struct Member<'a> {
    pub(in crate::store::zone) slot: &'a Slot,
    pub(in crate::store::zone) state: State,
    /// Where it lies.
    pub(in crate::store::zone) tenancy: Tenancy,
}

impl Member<'_> {
    /// What is held.
    #[inline]
    pub(in crate::store::zone) fn payload(&self) -> u128 {
        self.state.payload()
    }

    /// Hold this instead. False: somebody else was faster.
    #[inline]
    pub(in crate::store::zone) fn swap(&self, payload: u128) -> bool {
        at(Step::Spend);
        let swapped = self.slot.swap(self.state, self.state.with(payload));
        at(Step::Spent);
        swapped.is_ok()
    }
}
