//! Whose clock a zone is counted by: the host's, or one that a test moves. A state of the one is years
//! ahead of the other, so nobody may count by both.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::store::zone::refusal::{Refusal, fault, shown_path};

/// A zone's clock, by the number that its header has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(in crate::store::zone) enum CountedBy {
    Host = 1,
    Manual,
}

impl CountedBy {
    /// What the header says; `None`: nobody counts in it yet.
    pub(in crate::store::zone) fn of(noted: u64) -> Option<Self> {
        match noted {
            1 => Some(Self::Host),
            2 => Some(Self::Manual),
            _ => None,
        }
    }

    /// See to it that the zone is counted by this clock; the first to come says by which.
    pub(in crate::store::zone) fn claim(
        self,
        noted: &AtomicU64,
        path: &Path,
    ) -> Result<(), Refusal> {
        let Err(before) = noted.compare_exchange(0, self as u64, SeqCst, SeqCst) else {
            return Ok(());
        };
        match (self, Self::of(before)) {
            (Self::Manual, Some(Self::Host)) => Err(Refusal::Argument(format!(
                "clock= must be left out in the zone {}, where limiters count by the real time: give tests a \
                 zone of their own, in a temporary directory",
                shown_path(path)
            ))),
            (Self::Host, Some(Self::Manual)) => Err(fault(
                path,
                format_args!(
                    "a ManualClock counts in it, as tests do, and no real time may; delete the file, or name \
                     another path"
                ),
            )),
            _ => Ok(()),
        }
    }
}
