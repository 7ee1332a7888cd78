//! What one process has counted of a limit.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::zone::table::tenancy::Tenancy;

/// Calls of this process.
#[derive(Debug, Default)]
pub(in crate::store::zone) struct Counts {
    pub(in crate::store::zone) admitted: AtomicU64,
    pub(in crate::store::zone) refused: AtomicU64,
    pub(in crate::store::zone) would_have_refused: AtomicU64,
    pub(in crate::store::zone) overflowed: AtomicU64,
}

impl Counts {
    #[inline]
    pub(in crate::store::zone) fn count(&self, allowed: bool, tenancy: Tenancy) {
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
