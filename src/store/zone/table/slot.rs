//! A key's place in a zone: two words of 16 bytes.
//!
//! The identity says whose it is, the state what is held. Both carry a generation, and they belong
//! together only while these agree: so a slot changes hands by one swap of its state, which makes
//! every other change fail that was decided before, and a file of zeros is an empty table.

use portable_atomic::{AtomicU128, Ordering::SeqCst};

use super::tenancy::Tenancy;
use crate::clock::Ticks;
use crate::store::Fingerprint;
use crate::store::zone::registry::LimitId;

/// How many bits a payload has.
pub const PAYLOAD_BITS: u32 = 110;

const PAYLOAD: u128 = (1 << PAYLOAD_BITS) - 1;
const FLAG: u128 = 0b11 << PAYLOAD_BITS;
const GENERATION_AT: u32 = 112;

/// 32 bytes of the file.
#[derive(Debug)]
#[repr(C, align(32))]
pub(in crate::store::zone) struct Slot {
    pub(in crate::store::zone) identity: AtomicU128,
    pub(in crate::store::zone) state: AtomicU128,
}

/// Slots that lie side by side, in four cache lines.
#[derive(Debug)]
#[repr(C, align(256))]
pub(in crate::store::zone) struct Set(pub(in crate::store::zone) [Slot; WAYS]);

/// How many slots a set has.
pub(in crate::store::zone) const WAYS: usize = 8;

impl Slot {
    /// Both words as they were at one moment.
    pub(in crate::store::zone) fn snapshot(&self) -> (Identity, State) {
        let mut identity = self.identity.load(SeqCst);
        loop {
            let state = self.state.load(SeqCst);
            let again = self.identity.load(SeqCst);
            if again == identity {
                return (Identity(identity), State(state));
            }
            identity = again;
        }
    }

    /// Put another state in place of `old`, or tell what is there.
    #[inline]
    pub(in crate::store::zone) fn swap(&self, old: State, new: State) -> Result<(), State> {
        let swapped = self.state.compare_exchange(old.0, new.0, SeqCst, SeqCst);
        swapped.map(drop).map_err(State)
    }

    /// Put another identity in place of `old`. False: it was not there any more.
    pub(in crate::store::zone) fn announce(&self, old: Identity, new: Identity) -> bool {
        let swapped = self.identity.compare_exchange(old.0, new.0, SeqCst, SeqCst);
        swapped.is_ok()
    }
}

/// A limit and 96 bits of a key's fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::zone) struct Key(u128);

impl Key {
    #[inline]
    pub(in crate::store::zone) fn new(limit: LimitId, fingerprint: Fingerprint) -> Self {
        let low = u128::from(fingerprint.hash() >> 32);
        Self(u128::from(limit.0) << 96 | u128::from(fingerprint.shard()) << 32 | low)
    }
}

/// Generation 16, limit 16, fingerprint 96.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::zone) struct Identity(pub(in crate::store::zone) u128);

impl Identity {
    #[inline]
    pub(in crate::store::zone) fn new(generation: u16, key: Key) -> Self {
        Self(u128::from(generation) << GENERATION_AT | key.0)
    }

    #[inline]
    pub(in crate::store::zone) fn generation(self) -> u16 {
        (self.0 >> GENERATION_AT) as u16
    }

    #[inline]
    pub(in crate::store::zone) fn key(self) -> Key {
        Key(self.0 & (FLAG | PAYLOAD))
    }

    pub(in crate::store::zone) fn limit(self) -> LimitId {
        LimitId((self.0 >> 96) as u16)
    }
}

/// What a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::zone) enum Flag {
    /// Nobody's.
    Free,
    /// Claimed by somebody who has not yet seen that no other slot holds the same key. The payload
    /// is the time of the claim.
    Inserting,
    /// A key's, and the payload is its state.
    Member,
}

/// Generation 16, flag 2, payload 110.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::zone) struct State(pub(in crate::store::zone) u128);

impl State {
    #[inline]
    fn new(generation: u16, flag: Flag, payload: u128) -> Self {
        debug_assert!(payload <= PAYLOAD, "{payload:#x} does not fit");
        let flag = (flag as u128) << PAYLOAD_BITS;
        Self(u128::from(generation) << GENERATION_AT | flag | payload & PAYLOAD)
    }

    #[inline]
    pub(in crate::store::zone) fn generation(self) -> u16 {
        (self.0 >> GENERATION_AT) as u16
    }

    #[inline]
    pub(in crate::store::zone) fn flag(self) -> Flag {
        match (self.0 & FLAG) >> PAYLOAD_BITS {
            0 => Flag::Free,
            1 => Flag::Inserting,
            _ => Flag::Member,
        }
    }

    #[inline]
    pub(in crate::store::zone) fn is_member(self) -> bool {
        self.flag() == Flag::Member
    }

    #[inline]
    pub(in crate::store::zone) fn payload(self) -> u128 {
        self.0 & PAYLOAD
    }

    /// Whether it belongs to the identity that was read before it.
    #[inline]
    pub(in crate::store::zone) fn belongs_to(self, identity: Identity) -> bool {
        self.generation() == identity.generation()
    }

    /// The same key's, with another payload.
    #[inline]
    pub(in crate::store::zone) fn with(self, payload: u128) -> Self {
        Self::new(self.generation(), Flag::Member, payload)
    }

    /// The next generation, being inserted by whoever announces a key first.
    pub(in crate::store::zone) fn claimed(self, now: Ticks) -> Self {
        Self::new(self.next(), Flag::Inserting, now.into())
    }

    /// The next generation, nobody's.
    pub(in crate::store::zone) fn freed(self) -> Self {
        Self::new(self.next(), Flag::Free, 0)
    }

    fn next(self) -> u16 {
        self.generation().wrapping_add(1)
    }

    #[inline]
    pub(in crate::store::zone) fn tenancy(self, slot: usize) -> Tenancy {
        Tenancy::new(slot, self.generation())
    }
}
