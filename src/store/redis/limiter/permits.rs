//! What a limiter of permits knows of those that this process holds.

use super::{Holders, Leases, RedisLimiter};
use crate::store::redis::leases::Due;

impl RedisLimiter {
    /// A permit that counts for nothing, as limits are off.
    pub fn hold_uncounted(&self, key: &[u8], holders: &Holders) {
        if let Some(leases) = &self.leases {
            leases.uncounted(key, holders);
        }
    }

    /// A permit is not held any more. False: the server is to be told.
    pub fn leave(&self, key: &[u8], number: u64) -> bool {
        let leases = self.leases.as_ref();
        leases.is_none_or(|leases| leases.leave(key, number))
    }

    /// Whether a permit is held.
    #[must_use]
    pub fn holds(&self, key: &[u8], number: u64) -> bool {
        let leases = self.leases.as_ref();
        leases.is_some_and(|leases| leases.holds(key, number))
    }

    /// What an event loop has to tell the server of permits that it holds, or held.
    #[must_use]
    pub fn due(&self, home: usize) -> Vec<Due> {
        let leases = self.leases.as_ref();
        leases.map_or_else(Vec::new, |leases| leases.due(home))
    }

    /// Whether the server need not be told of any permit.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.leases.as_ref().is_none_or(Leases::is_idle)
    }
}
