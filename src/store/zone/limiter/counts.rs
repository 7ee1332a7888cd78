//! What one process has counted of a limit.

use std::sync::atomic::{AtomicU64, Ordering};

use super::tenancy::Tenancy;

/// Calls of this process.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) admitted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) would_have_refused: AtomicU64,
    pub(super) overflowed: AtomicU64,
}

impl Counts {
    #[inline]
    pub(super) fn count(&self, allowed: bool, tenancy: Tenancy) {
        let decided = if allowed {
            &self.admitted
        } else {
            &self.refused
        };
        decided.fetch_add(1, Ordering::Relaxed);
        if tenancy.is_overflow() {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
