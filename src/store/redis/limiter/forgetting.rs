//! What is known here of keys is forgotten with what the server knows.

use super::{KeyNames, RedisLimiter, locked_now};

impl RedisLimiter {
    /// A key is to be reset.
    pub(super) fn forget(&self, key: &[u8]) {
        self.uncharged.forget(key);
        self.receipts.forget(key);
        if let Some(remembered) = &self.remembered {
            remembered.forget(key);
        }
    }

    /// Every key is to be forgotten. Who holds permits holds them no longer.
    pub fn forget_all(&self) {
        if let Some(leases) = &self.leases {
            leases.forget_all();
        }
        self.forget_all_again();
    }

    /// Every key has been forgotten; calls that were decided meanwhile may have come before. Permits that
    /// were granted meanwhile and are not there any more are found out when they are renewed.
    pub fn forget_all_again(&self) {
        self.uncharged.clear();
        self.receipts.forget_all();
        if let Some(remembered) = &self.remembered {
            remembered.clear();
        }
        if let Some(local) = &*locked_now(&self.local) {
            local.clear();
        }
    }

    /// How its keys are named.
    #[must_use]
    pub fn names(&self) -> &KeyNames {
        &self.names
    }
}
