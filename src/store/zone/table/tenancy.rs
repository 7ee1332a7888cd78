//! What callers see of a slot.

use crate::clock::Ticks;

/// One stay of a key in a slot, of which there is no other like it: a slot's number and its
/// generation, which changes whenever a key moves in or out. It fits 63 bits.
///
/// The generation has 16 bits: a stay is taken for another one if exactly 65,536, or a multiple,
/// began or ended in the same slot between the two, and the last of them is the same key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tenancy(u64);

const OVERFLOW: u64 = 1 << 62;

impl Tenancy {
    /// Of a key that is nowhere.
    pub const NONE: Self = Self(1 << 61);

    #[inline]
    pub(in crate::store::zone) fn new(slot: usize, generation: u16) -> Self {
        Self((slot as u64) << 16 | u64::from(generation))
    }

    #[inline]
    pub(in crate::store::zone) fn overflow(generation: u16) -> Self {
        Self(OVERFLOW | u64::from(generation))
    }

    /// From what [`Tenancy::number`] told.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// As a number, for a receipt.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// Whether it is the limit's overflow slot, which all keys share that find no room.
    #[must_use]
    pub fn is_overflow(self) -> bool {
        self.0 & OVERFLOW != 0
    }

    /// The slot's number, which may lie beyond the table.
    #[inline]
    pub(in crate::store::zone) fn slot(self) -> usize {
        (self.0 >> 16) as usize
    }

    #[inline]
    pub(in crate::store::zone) fn generation(self) -> u16 {
        self.0 as u16
    }
}

/// What a look finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// [`PAYLOAD_BITS`](super::PAYLOAD_BITS); 0: the key was never seen.
    pub payload: u128,
    /// Where it lies.
    pub tenancy: Tenancy,
}

impl Found {
    pub(in crate::store::zone) const NOTHING: Self = Self {
        payload: 0,
        tenancy: Tenancy::NONE,
    };
}

/// What a change is made of.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The time to decide by. States may hold a later one: of a process that was faster.
    pub now: Ticks,
    /// What is held.
    pub found: Found,
}

/// What came of a change.
#[derive(Debug, Clone, Copy)]
pub struct Updated<R> {
    /// What the last call of `change` returned.
    pub result: R,
    /// Where it was made.
    pub tenancy: Tenancy,
}
