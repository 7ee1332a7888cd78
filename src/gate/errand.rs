//! A call that may wait, or has met those who do, on its way through the limits.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::clock::Ticks;
use crate::error::Error;
use crate::store::{Applicant, Fate, JointResult, Patience, Queuing, Result, Told};

/// What a call is out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// An answer at once.
    Answer,
    /// To be admitted at once, or nothing at all.
    AdmitAtOnce,
    /// To be admitted, or to wait.
    Wait,
    /// To find out whether one who waits would be admitted, and where it is refused if not.
    Review,
}

/// A limit that refuses.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    place: usize,
    told: Told,
}

/// One call's errand.
pub(super) struct Errand<'a> {
    intent: Intent,
    /// Its place in the order of arrival.
    number: u64,
    /// Who gets places in the queues; `None`: it has them, or does not wait.
    applicant: Option<&'a Arc<dyn Applicant>>,
    has_places: bool,
    /// How long it may wait from now on.
    left: Ticks,
    /// Who goes first and is on its way.
    confirmed: RefCell<Vec<u64>>,
    /// Of those that refuse it, the one that does so for the longest.
    longest: Cell<Option<Refusal>>,
    /// The longest wait that is known, or a tick if none is: there is hope until the deadline.
    known_wait: Cell<Ticks>,
    would_never_wake: Cell<bool>,
    fate: Cell<Fate>,
    /// Who is to be woken in the end.
    next: RefCell<Vec<Arc<dyn Applicant>>>,
}

impl<'a> Errand<'a> {
    /// Of one who has no place yet, behind all who wait.
    pub(super) fn new(intent: Intent) -> Self {
        Self {
            intent,
            number: u64::MAX,
            applicant: None,
            has_places: false,
            left: Ticks::MAX,
            confirmed: RefCell::default(),
            longest: Cell::new(None),
            known_wait: Cell::new(0),
            would_never_wake: Cell::new(false),
            fate: Cell::new(Fate::Kept),
            next: RefCell::default(),
        }
    }

    /// Of one who gets a place in the queues if it has to wait.
    pub(super) fn of_newcomer(applicant: &'a Arc<dyn Applicant>, left: Ticks) -> Self {
        Self {
            number: applicant.number(),
            applicant: Some(applicant),
            left,
            ..Self::new(Intent::Wait)
        }
    }

    /// Of one who has its places in the queues.
    pub(super) fn of_waiter(intent: Intent, number: u64, left: Ticks) -> Self {
        Self {
            number,
            has_places: true,
            left,
            ..Self::new(intent)
        }
    }

    /// The limits are asked anew.
    pub(super) fn begin(&self) {
        self.longest.set(None);
        self.known_wait.set(0);
        self.would_never_wake.set(false);
    }

    /// What the next limit gets to know.
    pub(super) fn queuing(&self) -> Queuing<'_> {
        Queuing {
            number: self.number,
            applicant: self.applicant,
            has_places: self.has_places,
            left: self.left,
            confirmed: (self.intent != Intent::Review).then_some(&self.confirmed),
            told: Cell::default(),
            fate: Cell::new(Fate::Kept),
            next: Cell::new(None),
        }
    }

    /// The limit at this place of the call refuses.
    pub(super) fn is_refused(&self, place: usize, told: Told) {
        let longest = self.longest.get();
        if longest.is_none_or(|longest| told.wait > longest.told.wait) {
            self.longest.set(Some(Refusal { place, told }));
        }
        let wait = if told.wait == Ticks::MAX {
            1
        } else {
            told.wait
        };
        self.known_wait.set(self.known_wait.get().max(wait));
        if told.would_never_wake {
            self.would_never_wake.set(true);
        }
    }

    /// Look whether one who goes first is admissible everywhere. No lock may be held.
    pub(super) fn review(&self, first: &dyn Applicant, patience: Patience) -> Result<()> {
        if first.review(patience)? {
            self.confirmed.borrow_mut().push(first.number());
        }
        Ok(())
    }

    /// All limits have been asked: whether they are to spend.
    pub(super) fn decide(&self, all_admit: bool) -> JointResult<bool> {
        let fate = match self.intent {
            Intent::Answer => Fate::Plain,
            Intent::AdmitAtOnce if all_admit => Fate::Plain,
            Intent::AdmitAtOnce => Fate::Kept,
            Intent::Wait if all_admit || self.known_wait.get() > self.left => Fate::Settled,
            Intent::Wait | Intent::Review => Fate::Pending { watches: false },
        };
        let waits = matches!(fate, Fate::Pending { .. });
        if waits && self.would_never_wake.get() && !self.has_places {
            return Err(Error::WouldNeverWake.into());
        }
        self.fate.set(fate);
        Ok(all_admit && self.intent != Intent::Review)
    }

    /// What becomes of the part at this place of the call. One who could be admitted watches all, so
    /// that nobody passes it until it has come.
    pub(super) fn fate_at(&self, place: usize) -> Fate {
        match self.fate.get() {
            Fate::Pending { .. } => Fate::Pending {
                watches: self.longest.get().is_none_or(|it| it.place == place),
            },
            fate => fate,
        }
    }

    /// A limit has done its part.
    pub(super) fn is_done(&self, queuing: &Queuing<'_>) {
        self.next.borrow_mut().extend(queuing.next.take());
    }

    /// What became of the call.
    pub(super) fn fate(&self) -> Fate {
        self.fate.get()
    }

    /// Whether no limit refuses.
    pub(super) fn is_admissible(&self) -> bool {
        self.longest.get().is_none()
    }

    /// Whether nobody but a timer would tell it when to go on.
    pub(super) fn needs_timer(&self) -> bool {
        let told = self.longest.get().map(|longest| longest.told);
        told.is_some_and(|told| told.poll_after.is_some())
    }

    /// When to poll again, unless woken before; `None`: only when woken.
    pub(super) fn poll_after(&self) -> Option<Ticks> {
        let told = self.longest.get().map(|longest| longest.told);
        let after = told.and_then(|told| told.poll_after).unwrap_or(Ticks::MAX);
        let after = after.min(self.left);
        (after < Ticks::MAX).then_some(after)
    }

    /// Wake those who go on as this call has left a queue. No lock may be held.
    pub(super) fn wake_next(&self) {
        for next in self.next.take() {
            next.wake();
        }
    }
}
