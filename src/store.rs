//! Where state lives, and who sees to it that a decision is atomic.

mod bells;
mod fork;
mod memory;
#[cfg(feature = "redis")]
pub mod redis;
mod wait;
#[cfg(all(feature = "zone", target_os = "linux"))]
pub mod zone;

pub use bells::{Bell, Bells};
pub use memory::{
    Again, Agree, Applicant, Fate, Fingerprint, Halt, JointResult, JointStore, KeyHasher,
    MemoryStore, Options, Overflow, Part, Purpose, Queuing, Statistics, Told, in_memory,
};
pub use wait::Parker;

use std::sync::Arc;

use crate::algorithm::AnyAlgorithm;
use crate::clock::Ticks;
use crate::decision::{Decision, Receipt};
use crate::error::Error;
use crate::quota::Quota;

/// What to do when a lock is held by another thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// [`Stop::Locked`] at once: for a caller that first has to let go of something.
    Try,
    /// Wait for the lock.
    Wait,
}

/// Why a call did nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A lock was held; only under [`Patience::Try`].
    Locked,
    /// No call with these arguments could ever do anything.
    Invalid(Box<Error>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Invalid(Box::new(error))
    }
}

/// Shorthand for results with [`Stop`].
pub type Result<T> = std::result::Result<T, Stop>;

/// What is asked of a key.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Of which one.
    pub key: Fingerprint,
    /// Units.
    pub cost: u32,
    /// By which quota, if it is not the store's own. It must be of the same algorithm and window.
    pub quota: Option<&'a Quota>,
}

impl Ask<'_> {
    /// By the store's own quota.
    #[inline]
    #[must_use]
    pub fn new(key: Fingerprint, cost: u32) -> Self {
        Self {
            key,
            cost,
            quota: None,
        }
    }
}

/// What a limiter over many keys does, whatever its algorithm.
#[expect(clippy::missing_errors_doc, reason = "`Stop` tells of all")]
pub trait Store: Send + Sync {
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
    /// Whether to count the keys takes long: all places are looked at.
    fn scans(&self) -> bool {
        false
    }
    /// The limit by which it would be decided, if it could ever be admitted.
    fn examine(&self, ask: Ask<'_>, patience: Patience) -> Result<u32>;
    /// Decide and spend, and say only whether it is allowed.
    ///
    /// `now` is the time, if it has just been read: before the key was hashed, the processor does
    /// both at once.
    fn is_allowed(&self, ask: Ask<'_>, now: Option<Ticks>, patience: Patience) -> Result<bool>;
    /// Decide and spend; `now` as above.
    fn check(&self, ask: Ask<'_>, now: Option<Ticks>, patience: Patience) -> Result<Decision>;
    /// Whether it would be allowed, and what is left; nothing is spent.
    fn peek(&self, ask: Ask<'_>, patience: Patience) -> Result<Decision>;
    /// When the first unit of `key` that counts is back; a window from now if none counts.
    fn first_free_at(&self, key: Fingerprint, patience: Patience) -> Result<Ticks>;
    /// Decide for the keys that have no answer yet: for the calls of one key in their order.
    fn admit_many(
        &self,
        keys: &[Fingerprint],
        cost: u32,
        quota: Option<&Quota>,
        answers: &mut [Option<bool>],
        patience: Patience,
    ) -> Result<()>;
    /// Give units back.
    fn refund(&self, key: Fingerprint, cost: u32, patience: Patience) -> Result<()>;
    /// Give units of one spend of `key` back, those that still count and no others. The receipt must
    /// be this store's.
    fn refund_spend(
        &self,
        key: Fingerprint,
        receipt: &Receipt,
        units: u32,
        patience: Patience,
    ) -> Result<()>;
    /// Whether it is a receipt of this store.
    fn is_mine(&self, receipt: &Receipt) -> bool;
    /// Forget one key.
    fn reset(&self, key: Fingerprint, patience: Patience) -> Result<()>;
    /// Forget every key.
    fn clear(&self);
    /// Change the quota of every key at once but of those that have another one of the same window.
    /// What was spent stays spent. False, and nothing has changed, if `quota` is another algorithm's.
    fn set_quota(&self, quota: AnyAlgorithm) -> bool;
    /// Counts since the start.
    fn statistics(&self, patience: Patience) -> Result<Statistics>;
}

/// A store whose callers may wait for a key, first come first served.
#[expect(clippy::missing_errors_doc, reason = "`Stop` tells of all")]
pub trait Queues: Store {
    /// Admit a call that need not wait. `None`: it may have to; nothing was counted.
    fn admit_at_once(&self, ask: Ask<'_>, patience: Patience) -> Result<Option<Decision>>;
    /// Decide, or line up unless the call would be admitted after `timeout`.
    ///
    /// All who wait for a key are decided by one quota: that of the last call for it.
    fn join(
        &self,
        ask: Ask<'_>,
        timeout: Option<Ticks>,
        wake: &Arc<dyn Wake>,
        patience: Patience,
    ) -> Result<Joined>;
    /// Ask whether it is a ticket's turn, and spend if so.
    fn poll(&self, ticket: &Ticket, patience: Patience) -> Result<Polled>;
    /// Leave the queue. Nothing is spent; does nothing if the ticket is settled.
    fn leave(&self, ticket: &Ticket, patience: Patience) -> Result<()>;
}

/// Tells a waiter that it should [`poll`](Queues::poll) again.
///
/// It is called from any thread, in destructors too, without a lock of the store, and sometimes for
/// nothing. So it runs no Python code: that could fail, raise what a signal handler raises, or lose
/// the exception that is being handled.
pub trait Wake: Send + Sync {
    /// Poll again. False: nobody is there any more, and the next one in the queue is woken.
    fn wake(&self) -> bool;

    /// Whether the waiter blocks the thread that asks.
    fn blocks_this_thread(&self) -> bool {
        false
    }

    /// Whether the waiter can only go on in the thread that asks.
    fn needs_this_thread(&self) -> bool {
        false
    }
}

/// What one who waits polls with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The key that it waits for.
    pub key: Fingerprint,
    /// What it asks for.
    pub cost: u32,
    /// Its number: those of later comers are larger.
    pub number: u64,
}

/// What came of joining a queue.
#[derive(Debug)]
pub enum Joined {
    /// Settled at once, at this time on the store's clock.
    Settled(Decision, Ticks),
    /// In the queue.
    Queued {
        /// What to poll with.
        ticket: Ticket,
        /// When to poll next, unless woken before; `None`: only when woken.
        poll_at: Option<Ticks>,
    },
}

/// What came of a poll.
#[derive(Debug)]
pub enum Polled {
    /// Settled, at this time on the store's clock; it is in the queue no longer.
    Settled(Decision, Ticks),
    /// Not yet. Poll again at this time, unless woken before; `None`: only when woken.
    Pending(Option<Ticks>),
    /// It is not in the queue: it was settled before, or it lined up in a process of which this one
    /// was forked.
    Gone,
}
