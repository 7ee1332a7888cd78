//! What a store knows of a call that waits at several stores at once, or meets those who do.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::clock::Ticks;
use crate::store::{Patience, Result, Wake};

/// Somebody who waits at several stores at once.
///
/// It has a place at each of them, and watches one that refuses it: as long as that one does, it
/// cannot be admitted, so nobody else need wake it. If nobody is there any more, [`Wake::wake`] gives
/// its places up, wakes those who follow, and is true.
pub trait Applicant: Wake {
    /// Its place in the order of arrival, at every store: those of later comers are larger.
    fn number(&self) -> u64;
    /// Wake it, and nobody else. False: nobody is there any more.
    fn call(&self) -> bool;
    /// Whether every store would admit it now. It is woken if so; if not, it watches one that refuses
    /// it. No lock may be held.
    ///
    /// # Errors
    /// [`Stop::Locked`](crate::store::Stop::Locked).
    fn review(&self, patience: Patience) -> Result<bool>;
    /// Give its places up. Nothing is spent. Tells whom to wake for it.
    fn withdraw(&self) -> Vec<Arc<dyn Applicant>>;
}

/// One store's part of a call that may wait.
pub struct Queuing<'a> {
    /// Those with a smaller number go before it.
    pub number: u64,
    /// Who gets a place if it has none; `None`: it waits elsewhere already, or does not wait.
    pub applicant: Option<&'a Arc<dyn Applicant>>,
    /// Whether it has its places already.
    pub has_places: bool,
    /// How long it may wait from now on; `Ticks::MAX`: as long as it takes.
    pub left: Ticks,
    /// Who is known to be admissible everywhere and on its way; `None`: whoever is admissible here is
    /// taken for that.
    pub confirmed: Option<&'a RefCell<Vec<u64>>>,
    /// What the store says before it asks the others.
    pub told: Cell<Told>,
    /// What becomes of the whole call; to be set before the others agree.
    pub fate: Cell<Fate>,
    /// Who is to be woken once all locks are released.
    pub next: Cell<Option<Arc<dyn Applicant>>>,
}

/// What a store that refuses says of one who may wait.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    /// Until it would be admitted here, behind those who wait here; `Ticks::MAX`: nobody knows.
    pub wait: Ticks,
    /// When it has to poll again if it watches this store; `None`: it is woken.
    pub poll_after: Option<Ticks>,
    /// Whether it would block the thread that somebody before it needs.
    pub would_never_wake: bool,
}

/// What becomes of a call that may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It never waits, and is counted as any other.
    Plain,
    /// It is counted, and gives its place up.
    Settled,
    /// It waits, and may be woken by this store.
    Pending {
        /// Whether this is the store that it watches.
        watches: bool,
    },
    /// Nothing changes, and nothing is counted.
    Kept,
}

impl Queuing<'_> {
    /// Whether this applicant, which is admissible here, is on its way.
    pub(in crate::store) fn is_confirmed(&self, number: u64) -> bool {
        let has = |numbers: &RefCell<Vec<u64>>| numbers.borrow().contains(&number);
        self.confirmed.is_none_or(has)
    }
}
