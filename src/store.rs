//! Where state lives, and who sees to it that a decision is atomic.

mod bells;
mod fingerprint;
mod fork;
mod memory;
mod permits;
mod queue;
#[cfg(feature = "redis")]
pub mod redis;
mod reserve;
mod shard;
mod siphash;
mod wait;

pub use bells::{Bell, Bells};
pub use fingerprint::{Fingerprint, KeyHasher};
pub use memory::{MemoryStore, Options, Overflow, Statistics};
pub use permits::{Grant, Permits};
pub use queue::{Joined, Polled, Wake};
pub use wait::Parker;

use std::any::Any;
use std::sync::Arc;

use crate::clock::Ticks;
use crate::decision::Decision;
use crate::error::Result;

/// What to do when a lock is held by another thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Answer `None` at once: for a caller that first has to let go of something.
    Try,
    /// Wait for the lock.
    Wait,
}

/// The verbs of a limiter over many keys, whatever its algorithm.
///
/// A method answers `None` only under [`Patience::Try`], when a lock was held; nothing has
/// happened then.
///
/// It is [`Any`] for those who know the algorithm.
pub trait Store: Any + Send + Sync {
    /// The fingerprint by which `key` is known here.
    fn fingerprint(&self, key: &[u8]) -> Fingerprint;
    /// The quota's limit.
    fn limit(&self) -> u32;
    /// The quota's window.
    fn window(&self) -> Ticks;
    /// The time on this store's clock.
    fn now(&self) -> Ticks;
    /// A time on this store's clock as Unix time, by the wall clock of now.
    fn unix(&self, at: Ticks) -> Ticks;
    /// Whether that clock moves only by hand.
    fn is_manual(&self) -> bool;
    /// Keys that are held.
    fn len(&self) -> usize;
    /// Whether no key is held.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Decide and spend, and say only whether it is allowed.
    ///
    /// `now` is the time, if it has just been read: before the key was hashed, the processor does
    /// both at once.
    fn is_allowed(
        &self,
        key: Fingerprint,
        cost: u32,
        now: Option<Ticks>,
        patience: Patience,
    ) -> Option<Result<bool>>;
    /// Decide and spend; `now` as above.
    fn check(
        &self,
        key: Fingerprint,
        cost: u32,
        now: Option<Ticks>,
        patience: Patience,
    ) -> Option<Result<Decision>>;
    /// Whether it would be allowed, and what is left; nothing is spent.
    fn peek(&self, key: Fingerprint, cost: u32, patience: Patience) -> Option<Result<Decision>>;
    /// Decide for the keys that have no answer yet, in order; `None` when stopped by a lock.
    ///
    /// `answers` tells how far it got.
    fn admit_many(
        &self,
        keys: &[Fingerprint],
        cost: u32,
        answers: &mut Vec<bool>,
        patience: Patience,
    ) -> Option<Result<()>>;
    /// Give units back.
    fn refund(&self, key: Fingerprint, cost: u32, patience: Patience) -> Option<Result<()>>;
    /// Forget one key.
    fn reset(&self, key: Fingerprint, patience: Patience) -> Option<()>;
    /// Forget every key.
    fn clear(&self);
    /// Counts since the start.
    fn statistics(&self, patience: Patience) -> Option<Statistics>;
    /// Admit a call that need not wait. `Some(Ok(None))`: it may have to; nothing was counted.
    fn admit_at_once(
        &self,
        key: Fingerprint,
        cost: u32,
        patience: Patience,
    ) -> Option<Result<Option<Decision>>>;
    /// Decide, or take a place in the key's queue unless its turn comes after `timeout`.
    fn join(
        &self,
        key: Fingerprint,
        cost: u32,
        timeout: Option<Ticks>,
        wake: &Arc<dyn Wake>,
        patience: Patience,
    ) -> Option<Result<Joined>>;
    /// Ask whether a place in a queue has come to its turn, and spend if so.
    fn poll(&self, key: Fingerprint, ticket: u64, patience: Patience) -> Option<Result<Polled>>;
    /// Give up a place in a queue. Nothing is spent; does nothing if it is settled.
    fn leave(&self, key: Fingerprint, ticket: u64, patience: Patience) -> Option<()>;
}
