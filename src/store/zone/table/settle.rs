//! No key is a member twice: who inserts one announces it first, and then looks for others that do.
//!
//! Of two that insert the same key at once, each announces before it looks, so one of them at least
//! sees the other (Purcell and Harris, "Non-blocking hashtables with open addressing", 2005). A
//! member wins, or else the lower slot; the loser is cancelled by itself or by the winner. Anybody
//! may do all of this for anybody else.

use super::{Around, Seat, Table};
use crate::store::zone::steps::{Mutant, Step, at, is_mutant};
use crate::store::zone::table::slot::{Flag, State};
use crate::store::zone::table::tenancy::{Found, Seen, Tenancy, Updated};

impl Table<'_> {
    /// See to it that no other slot is, or is becoming, this key's. False: another one is, and this
    /// slot has been freed.
    pub(super) fn settle(self, seat: Seat, number: usize, state: State) -> bool {
        if is_mutant(Mutant::NoSettle) {
            return true;
        }
        let others = seat.slots().filter(|&other| other != number);
        for other in others {
            while let Some(theirs) = self.rival(seat, other) {
                if theirs.is_member() || other < number {
                    at(Step::Yield);
                    let _ = self.slot(number).swap(state, state.freed());
                    return false;
                }
                at(Step::Cancel);
                if self.slot(other).swap(theirs, theirs.freed()).is_ok() {
                    break;
                }
            }
            at(Step::Settle);
        }
        true
    }

    /// The state of a slot that holds the same key.
    fn rival(self, seat: Seat, number: usize) -> Option<State> {
        let (identity, state) = self.slot(number).snapshot();
        let is_rival =
            identity.key() == seat.key && state.belongs_to(identity) && state.flag() != Flag::Free;
        is_rival.then_some(state)
    }

    /// Make a settled insertion a member, with the first change in it. `None`: it was cancelled.
    pub(super) fn join<R>(
        self,
        number: usize,
        state: State,
        around: &impl Around,
        change: &mut impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Option<Updated<R>> {
        at(Step::Time);
        // Read after all slots were seen: if the key was dropped from one, it was used up by now.
        let now = around.now();
        let tenancy = state.tenancy(number);
        let found = Found {
            payload: 0,
            tenancy,
        };
        let (new, result) = change(&Seen { now, found });
        let joined = new.map(|payload| state.with(payload));
        at(Step::Join);
        let swapped = self
            .slot(number)
            .swap(state, joined.unwrap_or(state.freed()));
        at(Step::Joined);
        let tenancy = if joined.is_some() {
            tenancy
        } else {
            Tenancy::NONE
        };
        swapped.ok().map(|()| Updated { result, tenancy })
    }
}
