//! What a limiter counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts since a limiter was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RedisStatistics {
    /// Calls that were admitted, by whomever.
    pub admitted: u64,
    /// Calls that were refused, by whomever.
    pub refused: u64,
    /// Calls that the server did not decide.
    pub errors: u64,
    /// Those of them that it did not answer in time.
    pub timeouts: u64,
    /// Calls that were decided in this process instead.
    pub local: u64,
    /// Calls that were refused because the server had refused the key before.
    pub remembered: u64,
    /// Calls that it would have refused, had it not only watched.
    pub would_have_refused: u64,
}

/// The same, while they are counted.
#[derive(Default)]
#[expect(missing_docs, reason = "as above")]
pub struct Counts {
    pub admitted: AtomicU64,
    pub refused: AtomicU64,
    pub errors: AtomicU64,
    pub timeouts: AtomicU64,
    pub local: AtomicU64,
    pub remembered: AtomicU64,
    pub would_have_refused: AtomicU64,
}

impl Counts {
    /// As they are now.
    pub fn read(&self) -> RedisStatistics {
        RedisStatistics {
            admitted: self.admitted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            errors: self.errors.load(Relaxed),
            timeouts: self.timeouts.load(Relaxed),
            local: self.local.load(Relaxed),
            remembered: self.remembered.load(Relaxed),
            would_have_refused: self.would_have_refused.load(Relaxed),
        }
    }
}
