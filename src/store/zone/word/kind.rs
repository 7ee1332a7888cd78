//! The kinds of limits that a zone can hold.

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

impl Kind {
    pub(in crate::store::zone) fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::FixedWindow,
            2 => Self::SegmentedWindow,
            3 => Self::SlidingCounter,
            4 => Self::TokenBucket,
            5 => Self::Permits,
            _ => return None,
        })
    }
}
