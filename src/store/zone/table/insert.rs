//! A slot for a key that has none: claimed by a swap of its state, then announced by a swap of its
//! identity.
//!
//! Whoever dies between the two leaves two generations that differ, and whoever comes next may
//! announce its own key there. Whoever dies after the second leaves an insertion that the next
//! caller for the same key finishes, and that anybody may drop when it is a second old.

use super::{Around, Claim, Seat, Table};
use crate::clock::{SECOND, Ticks};
use crate::store::zone::steps::{Step, at};
use crate::store::zone::table::slot::{Flag, Identity, State, WAYS};

/// A slot is idle for this long before its key is dropped: more than two processes' readings of the
/// clock may differ. So a key that begins afresh never begins before its old state was used up.
const SLACK: Ticks = 5_000;

/// An insertion that is older was left by somebody who died, or stands still.
const LONGEST_INSERTION: Ticks = SECOND;

/// As many keys live in the first set before the second is taken into account.
const CROWDED: usize = 6;

/// A slot that can be had; better ones come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Nobody's, or claimed and not announced.
    Free,
    Idle,
    /// An insertion that nobody goes on with.
    Left,
}

#[derive(Debug, Clone, Copy)]
struct Victim {
    rank: Rank,
    number: usize,
    identity: Identity,
    state: State,
}

impl Table<'_> {
    /// Take a slot for a key, and say so in it.
    pub(super) fn claim(self, seat: Seat, now: Ticks, around: &impl Around) -> Claim {
        at(Step::Choose);
        let Some(victim) = self.victim(seat, now, around) else {
            return Claim::Full;
        };
        let Victim {
            number,
            identity,
            state,
            ..
        } = victim;
        let slot = self.slot(number);
        let is_claimed = state.flag() == Flag::Inserting && !state.belongs_to(identity);
        let claimed = if is_claimed {
            state
        } else {
            state.claimed(now)
        };
        at(Step::Claim);
        if !is_claimed && slot.swap(state, claimed).is_err() {
            return Claim::Lost;
        }
        at(Step::Announce);
        let announced = Identity::new(claimed.generation(), seat.key);
        if !slot.announce(identity, announced) {
            return Claim::Lost;
        }
        at(Step::Announced);
        Claim::Announced(number, claimed)
    }

    /// The first set is searched first, so keys lie there unless it is crowded: then where there is
    /// more room.
    fn victim(self, seat: Seat, now: Ticks, around: &impl Around) -> Option<Victim> {
        let (first, live) = self.victim_in(seat, seat.sets[0], now, around);
        if live < CROWDED {
            return first;
        }
        let (second, others) = self.victim_in(seat, seat.sets[1], now, around);
        if others < live {
            second.or(first)
        } else {
            first.or(second)
        }
    }

    /// The best slot of a set, and how many of the set's are in use.
    fn victim_in(
        self,
        seat: Seat,
        of: usize,
        now: Ticks,
        around: &impl Around,
    ) -> (Option<Victim>, usize) {
        let (mut best, mut live): (Option<Victim>, usize) = (None, 0);
        for way in 0..WAYS {
            let number = of * WAYS + (seat.start + way) % WAYS;
            let (identity, state) = self.slot(number).snapshot();
            match rank(identity, state, now, around) {
                None => live += 1,
                Some(rank) if best.is_none_or(|best| rank < best.rank) => {
                    best = Some(Victim {
                        rank,
                        number,
                        identity,
                        state,
                    });
                }
                Some(_) => {}
            }
        }
        (best, live)
    }

    /// Whether no slot can be had.
    pub(in crate::store::zone) fn is_full(
        self,
        seat: Seat,
        now: Ticks,
        around: &impl Around,
    ) -> bool {
        self.victim(seat, now, around).is_none()
    }
}

/// `None`: it is in use.
fn rank(identity: Identity, state: State, now: Ticks, around: &impl Around) -> Option<Rank> {
    let since_then = now.saturating_sub(SLACK);
    match state.flag() {
        Flag::Free => Some(Rank::Free),
        // Between two swaps, or after 65,536 generations of which one stood still.
        _ if !state.belongs_to(identity) => Some(Rank::Free),
        Flag::Member => around
            .is_idle(identity.limit(), state.payload(), since_then)
            .then_some(Rank::Idle),
        Flag::Inserting => {
            let age = u128::from(now).abs_diff(state.payload());
            (age > LONGEST_INSERTION.into()).then_some(Rank::Left)
        }
    }
}
