//! One limit of a zone, as this process uses it.

mod counts;
pub(super) mod joint;
pub(super) mod leases;
pub(super) mod make;
pub(super) mod permits;
mod queue;
mod verbs;
mod waiting;

use std::borrow::Cow;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::Zone;
use super::refusal::Refusal;
use super::registry::{LimitId, Wanted};
use super::table::tenancy::Seen;
use super::word::Word;
use crate::algorithm::{AnyAlgorithm, SegmentedWindow};
use crate::clock::{Clock, ClockObserver, ManualClock, Ticks, seconds};
use crate::decision::{Decision, Receipt, Source};
use crate::error::{Error, Result};
use crate::fork::{self, Forks, Held, HeldLock};
use crate::quota::Quota;
use crate::store::fork::locked_now;
use crate::store::memory::new_number;
use crate::store::zone::file::counted_by::CountedBy;
use counts::Counts;
use queue::Behind;

/// Limits many keys by one quota, with all processes that have opened the zone.
///
/// What is shared lies in the zone. Here are the quota that this process decides by, what it has
/// counted, and who waits in it.
pub struct ZoneStore<W: Word> {
    /// By which its receipts are known.
    pub(super) number: u32,
    pub(super) zone: Arc<Zone>,
    pub(super) id: LimitId,
    /// How the states of its keys are laid out, whoever decided that.
    bits: u8,
    /// `None`: the zone's.
    manual: Option<Clock>,
    /// One of those in `behind`, which are kept as long as this is.
    current: AtomicPtr<W>,
    pub(super) counts: Counts,
    /// How many wait, to be read without the lock; written under it.
    pub(super) waiting: AtomicUsize,
    pub(super) tickets: AtomicU64,
    /// Never locked by a check that nobody waits before. A fork holds it.
    pub(super) behind: Mutex<Behind<W>>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Argument(error.to_string())
    }
}

impl<W: Word> ZoneStore<W> {
    /// The limit of that name, algorithm and window, and its quota for this process. `largest`: the
    /// largest limit that it will ever have, by which whoever comes first lays it out.
    ///
    /// # Errors
    /// When a word does not hold the quota, or the zone no more limits.
    pub fn new(
        zone: Arc<Zone>,
        name: &str,
        quota: &AnyAlgorithm,
        largest: Option<u32>,
        manual: Option<Arc<ManualClock>>,
    ) -> std::result::Result<Arc<Self>, Refusal> {
        let wanted = W::of(&laid_out_for(quota, largest), None)?;
        let is_manual = manual.is_some();
        zone.count_by(if is_manual {
            CountedBy::Manual
        } else {
            CountedBy::Host
        })?;
        let registered = zone.limit(&Wanted {
            name,
            kind: wanted.kind(),
            window: wanted.registered_window(),
            bits: wanted.bits(),
        })?;
        let algorithm = W::of(quota, Some(registered.bits));
        let of_that = |error| Refusal::Argument(format!("the limit '{name}' of the zone: {error}"));
        let mut algorithm = Box::new(algorithm.map_err(of_that)?);
        let store = Arc::new(Self {
            number: new_number(),
            zone,
            id: registered.id,
            bits: registered.bits,
            manual: manual.map(Clock::Manual),
            current: AtomicPtr::new(&raw mut *algorithm),
            counts: Counts::default(),
            waiting: AtomicUsize::new(0),
            tickets: AtomicU64::new(0),
            behind: Mutex::new(Behind::new(algorithm)),
        });
        if let Some(Clock::Manual(clock)) = &store.manual {
            let weak = Arc::downgrade(&store);
            clock.watch(weak);
        }
        let weak = Arc::downgrade(&store);
        fork::register(weak);
        Ok(store)
    }

    /// The time on the store's clock.
    #[expect(
        clippy::inline_always,
        reason = "measured: a call takes as long as a few moves"
    )]
    #[inline(always)]
    pub(super) fn time(&self) -> Ticks {
        match &self.manual {
            None => self.zone.now(),
            Some(clock) => clock.now(),
        }
    }

    /// What to add to it for Unix time.
    #[inline]
    pub(super) fn offset(&self) -> i64 {
        match &self.manual {
            None => self.zone.offset(),
            Some(clock) => clock.offset(),
        }
    }

    pub(super) fn has_manual_clock(&self) -> bool {
        self.manual.is_some()
    }

    /// The quota in force.
    #[inline]
    pub(super) fn algorithm(&self) -> &W {
        // SAFETY: what it points to is never dropped or changed before the store is dropped.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    /// The quota in force, or that of a key, its windows aligned to Unix time.
    #[expect(
        clippy::inline_always,
        reason = "measured: a call takes as long as a few moves"
    )]
    #[inline(always)]
    pub(super) fn by(&self, quota: Option<&Quota>) -> Result<Cow<'_, W>> {
        match quota {
            None if W::IS_ALIGNED => Ok(Cow::Owned(self.aligned())),
            None => Ok(Cow::Borrowed(self.algorithm())),
            Some(quota) => self.by_own(quota).map(Cow::Owned),
        }
    }

    /// The same for the hot verbs, with room of the caller's for one that is not kept: a `Cow` is moved
    /// through memory, and looked into at each use.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(super) fn by_in<'a>(
        &'a self,
        quota: Option<&Quota>,
        room: &'a mut Option<W>,
    ) -> Result<&'a W> {
        if quota.is_none() && !W::IS_ALIGNED {
            return Ok(self.algorithm());
        }
        Ok(room.insert(self.by(quota)?.into_owned()))
    }

    #[inline(never)]
    fn by_own(&self, quota: &Quota) -> Result<W> {
        self.aligned().under(quota)
    }

    #[inline]
    fn aligned(&self) -> W {
        self.algorithm().clone().aligned(self.offset())
    }

    /// Let `act` have the state that was found, at the time to decide by, and say whether it has changed
    /// it: what [`Zone::update`] wants to know.
    #[inline]
    pub(super) fn with_state<R>(
        &self,
        algorithm: &W,
        seen: &Seen,
        act: impl FnOnce(&mut W::State, Ticks) -> (bool, R),
    ) -> (Option<u128>, R) {
        let (payload, mut now) = (seen.found.payload, seen.now);
        if algorithm.is_ahead(payload, now) {
            now = now.max(self.time()); // this thread was stopped after it had read the clock
        }
        let mut state = algorithm.unpack(payload, now);
        let (has_changed, result) = act(&mut state, now);
        (has_changed.then(|| algorithm.pack(&state)), result)
    }

    /// What is told of a decision, but for whose it is.
    #[expect(
        clippy::inline_always,
        reason = "measured: a call takes as long as a few moves"
    )]
    #[inline(always)]
    pub(super) fn decision(
        &self,
        algorithm: &W,
        state: &W::State,
        now: Ticks,
        cost: u32,
        allowed: bool,
    ) -> Decision {
        let limit = algorithm.limit();
        let refused = (!allowed).then_some(cost.min(limit));
        let (wait, remaining, reset_after) = algorithm.tell(state, now, refused);
        Decision {
            allowed,
            limit,
            remaining,
            retry_after: wait.unwrap_or(Ticks::MAX),
            reset_after,
            at: now.saturating_add_signed(self.offset()),
            source: Source::Shared,
            receipt: Receipt::NONE,
        }
    }

    /// The receipt of a spend, but for where it lies; `state` is right after it.
    #[expect(
        clippy::inline_always,
        reason = "measured: a call takes as long as a few moves"
    )]
    #[inline(always)]
    pub(super) fn receipt(
        &self,
        algorithm: &W,
        state: &W::State,
        now: Ticks,
        (tag, cost): (u32, u32),
    ) -> Receipt {
        Receipt {
            store: self.number,
            key: tag,
            cost,
            epoch: 0,
            number: 0,
            at: now,
            mark: [0; 2],
        }
        .with_mark(algorithm.mark_in_word(state, now, cost))
    }

    /// Change the quota, for this process. What was spent stays spent.
    ///
    /// # Errors
    /// When it is another algorithm's or window's, or the word does not hold it; nothing has
    /// changed then.
    pub fn replace(&self, quota: &AnyAlgorithm) -> Result<()> {
        let algorithm = W::of(quota, Some(self.bits))?;
        let (old, new) = (
            self.algorithm().registered_window(),
            algorithm.registered_window(),
        );
        if old != new {
            let range = format!(
                "{}, the limiter's own: another window is another limit in a zone, and needs a new limiter",
                seconds(old)
            );
            return Err(Error::out_of_range("window_seconds", &seconds(new), range));
        }
        let mut behind = locked_now(&self.behind);
        let kept = behind.keep(algorithm);
        self.current.store(kept, Ordering::Release);
        drop(behind);
        self.wake_heads();
        Ok(())
    }
}

/// The quota with the largest limit that it will have.
fn laid_out_for(quota: &AnyAlgorithm, largest: Option<u32>) -> Cow<'_, AnyAlgorithm> {
    match (quota, largest) {
        (AnyAlgorithm::SegmentedWindow(this), Some(largest)) => {
            let segments = SegmentedWindow::new(largest.max(this.limit), this.window);
            Cow::Owned(AnyAlgorithm::SegmentedWindow(segments))
        }
        _ => Cow::Borrowed(quota),
    }
}

/// A limiter in a zone, whatever its algorithm.
pub trait ZoneLimiter: crate::store::Queues {
    /// [`ZoneStore::replace`].
    ///
    /// # Errors
    /// As there.
    fn replace(&self, quota: &AnyAlgorithm) -> Result<()>;

    /// Into how many parts a word divides the window; 1 where it does not.
    fn parts(&self) -> u8;
}

impl<W: Word> ZoneLimiter for ZoneStore<W> {
    fn replace(&self, quota: &AnyAlgorithm) -> Result<()> {
        self.replace(quota)
    }

    fn parts(&self) -> u8 {
        self.algorithm().parts()
    }
}

impl<W: Word> ClockObserver for ZoneStore<W> {
    fn moved(&self) {
        self.wake_everybody();
    }
}

impl<W: Word> Forks for ZoneStore<W> {
    fn hold(self: Arc<Self>) -> Box<dyn Held> {
        HeldLock::of(
            self,
            |store| &store.behind,
            |store, behind| {
                behind.leave_all();
                store.waiting.store(0, Ordering::Relaxed);
            },
        )
    }

    fn wake_all(&self) {
        self.wake_everybody();
    }
}
