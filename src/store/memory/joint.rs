//! A store as one of several that decide together: what it is asked, and why it may have to be asked
//! again.

pub(super) mod applicants;
mod behind;
pub(super) mod plan;
pub(super) mod queue;
mod queuing;
mod spend_anyway;
mod take_part;

pub use queuing::{Applicant, Fate, Queuing, Told};

use std::sync::Arc;

use super::queue::WakeUp;
use super::{Algorithm, Fingerprint, MemoryStore, Relaxed, locked};
use crate::clock::Ticks;
use crate::decision::Decision;
use crate::fork::Forks;
use crate::store::{Ask, Patience, Queues, Result, Stop};

/// What may come of a part, at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Nothing changes, and nothing is counted.
    Look,
    /// Another store has refused already: nothing is spent, but it is counted who refuses as well.
    Count,
    /// It is spent if all agree.
    Spend,
}

/// What one store is asked in a decision of several.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// Of which key, how much, and by which quota.
    pub ask: Ask<'a>,
    /// Whether it only watches: it is counted, and stops nobody.
    pub is_shadow: bool,
    /// The time on the store's clock, if it has just been read.
    pub now: Option<Ticks>,
    /// What it is asked for.
    pub purpose: Purpose,
    /// Whether there may be room for a new key; see [`JointStore::begin_again`].
    pub may_have_room: bool,
    /// What to do when a lock is held.
    pub patience: Patience,
    /// Its place among those who wait at several stores, if it may wait or has met one of them.
    pub queuing: Option<&'a Queuing<'a>>,
}

/// Told whether the part fits; says whether all agree, and the store is to spend.
pub type Agree<'a> = &'a mut dyn FnMut(bool) -> JointResult<bool>;

/// Why a part came to nothing, before anything was spent.
pub enum Halt {
    /// The whole call did nothing.
    Stop(Stop),
    /// All locks have to be released for something. Then all may begin again.
    Again(Again),
    /// Somebody who waits would be admitted here, and goes first if it would be everywhere: it is to
    /// be reviewed without locks. Then all may begin again.
    Review(Arc<dyn Applicant>),
    /// The call does not wait any more, though it says so.
    Gone,
}

/// What [`JointStore::begin_again`] has to do.
pub struct Again(Need);

enum Need {
    /// Somebody goes first.
    Wake(WakeUp),
    /// At this time there was no room for the key.
    Room(Ticks),
    /// The wall clock has stepped.
    Alignment,
}

/// Shorthand for results with [`Halt`].
pub type JointResult<T> = std::result::Result<T, Halt>;

impl<E: Into<Stop>> From<E> for Halt {
    fn from(stop: E) -> Self {
        Self::Stop(stop.into())
    }
}

impl Halt {
    fn again(need: Need) -> Self {
        Self::Again(Again(need))
    }
}

/// A store whose decision can be one of several that are made together, all or nothing.
#[expect(clippy::missing_errors_doc, reason = "`Stop` and `Halt` tell of all")]
pub trait JointStore: Queues {
    /// Its place in the order of locks: who holds a lock of one store asks only for those of stores
    /// with a higher place.
    fn place(&self) -> u64;

    /// Lock the key's shard, look whether the part fits, let `agree` ask the other stores, and spend
    /// if it then says so and the part fits. The lock is held all the while, so that what was seen is
    /// what is spent from.
    ///
    /// A part that fits and is not spent has the decision that [`peek`](crate::store::Store::peek) would
    /// give.
    fn take_part(&self, part: &Part<'_>, agree: Agree<'_>) -> JointResult<Decision>;

    /// Do what a part was halted for. No lock may be held. Says whether there may be room for the key
    /// now: if not, the overflow policy is to decide.
    fn begin_again(&self, again: Again, patience: Patience) -> Result<bool>;

    /// Spend whether it fits or not, and whoever waits for the key, at this time. What goes beyond the
    /// limit is a debt of one whole quota at most, that later calls wait for.
    ///
    /// The receipt's cost is what was counted: what would be beyond that debt is not.
    fn spend_anyway(&self, ask: Ask<'_>, patience: Patience) -> Result<Decision>;

    /// Take one who waits at several stores out of the queue of `key`. Nothing is spent. Tells whom to
    /// wake without locks; does nothing if it has no place there.
    fn step_out(
        &self,
        key: Fingerprint,
        number: u64,
        patience: Patience,
    ) -> Result<Option<Arc<dyn Applicant>>>;

    /// How many who wait at several stores have a place here.
    #[cfg(test)]
    fn applicants(&self) -> usize;

    /// Wake everybody who waits here, for a reason of their own. No lock may be held.
    fn wake_waiters(&self);
}

impl<A: Algorithm> JointStore for MemoryStore<A> {
    fn place(&self) -> u64 {
        self.place.load(Relaxed)
    }

    fn take_part(&self, part: &Part<'_>, agree: Agree<'_>) -> JointResult<Decision> {
        self.look_and_spend(part, agree)
    }

    fn begin_again(&self, again: Again, patience: Patience) -> Result<bool> {
        match again.0 {
            Need::Wake(first) => {
                self.wake(Some(first));
                Ok(true)
            }
            Need::Room(now) => self.reclaim(now, patience),
            Need::Alignment => self.realign(patience).map(|()| true),
        }
    }

    fn spend_anyway(&self, ask: Ask<'_>, patience: Patience) -> Result<Decision> {
        self.spend_unasked(ask, patience)
    }

    fn step_out(
        &self,
        key: Fingerprint,
        number: u64,
        patience: Patience,
    ) -> Result<Option<Arc<dyn Applicant>>> {
        // Whatever the wall clock did meanwhile: this changes nothing but the queue.
        let Some(lock) = self.made_lock_of(key) else {
            return Ok(None);
        };
        Ok(locked(&lock.shard, patience)?.step_out(key, number, None))
    }

    #[cfg(test)]
    fn applicants(&self) -> usize {
        let shards = self
            .shards
            .made()
            .map(|lock| super::locked_now(&lock.shard));
        shards.map(|shard| shard.applicants()).sum()
    }

    fn wake_waiters(&self) {
        Forks::wake_all(self);
    }
}
