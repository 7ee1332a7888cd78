//! The table: where a key may lie, and what is done to its slot.
//!
//! A key has two sets of eight slots. Nobody holds anything while it works here: what it has read is
//! checked again by the swap with which it changes a slot, or it begins anew.

mod insert;
pub(super) mod member;
pub(super) mod overflow;
mod settle;
pub(super) mod slot;
pub(super) mod tenancy;

use super::registry::LimitId;
use super::steps::{Step, at};
use crate::clock::Ticks;
use crate::store::Fingerprint;
use member::Member;
use portable_atomic::Ordering::Acquire;
use slot::{Flag, Identity, Key, Set, Slot, State, WAYS};
use tenancy::{Found, Seen, Tenancy, Updated};

/// All sets of a zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a>(pub(super) &'a [Set]);

/// Where the time is read again for a key that is being inserted, and who knows which other limit's
/// keys may be dropped for it.
pub(super) trait Around {
    fn now(&self) -> Ticks;
    fn is_idle(&self, limit: LimitId, payload: u128, now: Ticks) -> bool;
}

/// A key, with where it may lie: its first set, from a way of its own on, and then its second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    key: Key,
    sets: [usize; 2],
    start: usize,
}

/// What came of looking for a slot.
#[derive(Debug, Clone, Copy)]
enum Claim {
    /// This slot holds the key, and has yet to be settled.
    Announced(usize, State),
    /// Somebody else was faster.
    Lost,
    /// All slots hold keys that are in use.
    Full,
}

impl Seat {
    #[inline]
    pub(super) fn new(limit: LimitId, fingerprint: Fingerprint, sets: usize) -> Self {
        // Odd constants of no meaning. The bits are secret: mixing need only tell limits apart.
        let mixed = (fingerprint.hash() ^ u64::from(limit.0).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_mul(0xd6e8_feb8_6659_fd93);
        let other = (mixed ^ fingerprint.shard()).wrapping_mul(0xa076_1d64_78bd_642f);
        let place = |bits: u64| (((bits >> 32) * sets as u64) >> 32) as usize;
        let (first, second) = (place(mixed), place(other));
        let second = if first == second {
            (first + 1) % sets
        } else {
            second
        };
        Self {
            key: Key::new(limit, fingerprint),
            sets: [first, second],
            start: (mixed >> 8) as usize % WAYS,
        }
    }

    /// The first of them, where most keys lie.
    #[inline]
    fn first(self) -> usize {
        self.sets[0] * WAYS + self.start
    }

    /// The numbers of its slots, in the order in which they are looked at.
    #[inline]
    fn slots(self) -> impl Iterator<Item = usize> {
        let sets = if self.sets[0] == self.sets[1] { 1 } else { 2 };
        let of_set =
            move |set: usize| (0..WAYS).map(move |way| set * WAYS + (self.start + way) % WAYS);
        self.sets.into_iter().take(sets).flat_map(of_set)
    }
}

impl<'a> Table<'a> {
    #[inline]
    pub(super) fn slot(self, number: usize) -> &'a Slot {
        &self.0[number / WAYS].0[number % WAYS]
    }

    /// The slot that a key has, or that it is being inserted in.
    #[inline]
    fn find(self, seat: Seat) -> Option<(usize, State)> {
        seat.slots().find_map(|number| {
            let state = self.state_of(seat, number)?;
            (state.flag() != Flag::Free).then_some((number, state))
        })
    }

    #[inline]
    fn state_of(self, seat: Seat, number: usize) -> Option<State> {
        let slot = self.slot(number);
        let identity = Identity(slot.identity.load(Acquire));
        if identity.key() != seat.key {
            return None;
        }
        let state = State(slot.state.load(Acquire));
        state.belongs_to(identity).then_some(state)
    }

    /// What is held of a key. `None`: nothing.
    #[inline]
    pub(super) fn look(self, seat: Seat) -> Option<Found> {
        let (number, state) = self.find(seat)?;
        state.is_member().then(|| Found {
            payload: state.payload(),
            tenancy: state.tenancy(number),
        })
    }

    /// The member in the first slot that a key may have.
    #[inline]
    pub(super) fn member(self, seat: Seat) -> Option<Member<'a>> {
        let number = seat.first();
        let state = self.state_of(seat, number)?;
        state.is_member().then(|| Member {
            slot: self.slot(number),
            state,
            tenancy: state.tenancy(number),
        })
    }

    /// Change what is held of a key. `None`: all of its slots are taken by others.
    pub(super) fn update<R>(
        self,
        seat: Seat,
        now: Ticks,
        around: &impl Around,
        change: &mut impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Option<Updated<R>> {
        let mut looks_at_full = 0;
        loop {
            let found = self.find(seat);
            if let Some((number, state)) = found
                && state.is_member()
            {
                match self.change_member(number, state, now, change) {
                    Some(updated) => return Some(updated),
                    None => continue,
                }
            }
            let found_nothing = Found::NOTHING;
            let (new, result) = change(&Seen {
                now,
                found: found_nothing,
            });
            if new.is_none() {
                let tenancy = Tenancy::NONE;
                return Some(Updated { result, tenancy });
            }
            let claim = match found {
                Some((number, state)) => Claim::Announced(number, state),
                None => self.claim(seat, now, around),
            };
            match claim {
                Claim::Announced(number, state) => {
                    if self.settle(seat, number, state)
                        && let Some(updated) = self.join(number, state, around, change)
                    {
                        return Some(updated);
                    }
                }
                Claim::Lost => {}
                Claim::Full if looks_at_full == 1 => return None,
                Claim::Full => looks_at_full += 1,
            }
        }
    }

    /// Change a member's payload. `None`: the key has left the slot.
    #[inline]
    fn change_member<R>(
        self,
        number: usize,
        mut state: State,
        now: Ticks,
        change: &mut impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Option<Updated<R>> {
        let (generation, tenancy) = (state.generation(), state.tenancy(number));
        loop {
            let found = Found {
                payload: state.payload(),
                tenancy,
            };
            let (new, result) = change(&Seen { now, found });
            let updated = Updated { result, tenancy };
            let Some(payload) = new else {
                return Some(updated);
            };
            at(Step::Spend);
            let swapped = self.slot(number).swap(state, state.with(payload));
            at(Step::Spent);
            match swapped {
                Ok(()) => return Some(updated),
                Err(other) if other.is_member() && other.generation() == generation => {
                    state = other;
                }
                Err(_) => return None,
            }
        }
    }

    /// Change what is held of a key during one stay. `None`: it is over.
    #[inline]
    pub(super) fn update_at<R>(
        self,
        seat: Seat,
        tenancy: Tenancy,
        now: Ticks,
        change: &mut impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Option<Updated<R>> {
        let number = tenancy.slot();
        if number >= self.0.len() * WAYS {
            return None;
        }
        let state = self.state_of(seat, number)?;
        let is_same = state.is_member() && state.generation() == tenancy.generation();
        if !is_same {
            return None;
        }
        self.change_member(number, state, now, change)
    }

    /// Forget a key.
    pub(super) fn remove(self, seat: Seat) {
        while let Some((number, state)) = self.find(seat)
            && state.is_member()
        {
            at(Step::Remove);
            if self.slot(number).swap(state, state.freed()).is_ok() {
                return;
            }
        }
    }

    /// Forget all keys of a limit.
    pub(super) fn clear(self, limit: LimitId) {
        for slot in self.slots() {
            while let Some(state) = member_of(slot, limit) {
                if slot.swap(state, state.freed()).is_ok() {
                    break;
                }
            }
        }
    }

    /// The payloads of all keys of a limit.
    pub(super) fn payloads(self, limit: LimitId) -> impl Iterator<Item = u128> + 'a {
        let members = self.slots().filter_map(move |slot| member_of(slot, limit));
        members.map(State::payload)
    }

    fn slots(self) -> impl Iterator<Item = &'a Slot> {
        self.0.iter().flat_map(|set| &set.0)
    }
}

fn member_of(slot: &Slot, limit: LimitId) -> Option<State> {
    let (identity, state) = slot.snapshot();
    let is_member = identity.limit() == limit && state.is_member();
    (is_member && state.belongs_to(identity)).then_some(state)
}
