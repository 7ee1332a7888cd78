//! The limits of a zone: each has a number, by the name, kind and window that were declared.

use crate::clock::Ticks;

/// How the payloads of a limit's keys are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A counter for each window.
    FixedWindow = 1,
    /// A counter for each part of a window.
    SegmentedWindow,
    /// This window's counter and the one before.
    SlidingCounter,
    /// A time.
    TokenBucket,
    /// A counter for each part of a lease.
    Permits,
}

/// A limit, as its declaration describes it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What people call it; of any length.
    pub name: &'a str,
    /// How payloads are to be read.
    pub kind: Kind,
    /// The window, the time to a full bucket, or a lease. (For a kind whose state does not depend on
    /// it, such as a bucket, it may be 0, so that a changed quota goes on with what was spent.)
    pub window: Ticks,
    /// How the payload is laid out, in a sense that the kind knows.
    pub bits: u8,
}

/// The number of a limit in its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitId(pub(super) u16);

/// A limit that the zone knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// Its number.
    pub id: LimitId,
    /// The layout, as whoever came first has declared it.
    pub bits: u8,
}
