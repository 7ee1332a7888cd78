//! Those who wait for one key and for others of other stores as well, in the order of their numbers.
//!
//! Everybody has a place at all of its stores. Where it would be admitted now it is passed, so that
//! nobody is held up by a waiter whom another store refuses. Each watches one store that refuses it,
//! and of those who watch only the first one needs a timer: whoever is refused is refused to all who
//! are behind it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

use super::Applicant;
use super::plan::{Entry, Planned, View};
use crate::algorithm::Algorithm;
use crate::clock::Ticks;
use crate::quota::Quota;
use crate::store::memory::fingerprint::Fingerprint;
use crate::store::memory::queue::WakeUp;

/// One of so many looks after the first one, so that nobody sleeps for ever behind one that has
/// vanished without a word.
const LOOKOUTS: u64 = 64;

/// The waiters of one key.
pub(in crate::store::memory) struct JointQueue<A: Algorithm> {
    pub(in crate::store::memory) key: Fingerprint,
    /// By which quota all who wait are decided, if it is not the store's own.
    pub(in crate::store::memory) quota: Option<Arc<Quota>>,
    entries: BTreeMap<u64, Entry>,
    by_cost: BTreeMap<u32, BTreeSet<u64>>,
    watchers: BTreeSet<u64>,
    planned: RefCell<Option<Planned<A>>>,
}

impl<A: Algorithm> JointQueue<A> {
    /// A lookout looks after the first one when it is this late itself.
    pub(in crate::store::memory) const LOOK_AFTER: Ticks = 100_000;

    pub(in crate::store::memory) fn new(key: Fingerprint, quota: Option<Arc<Quota>>) -> Self {
        Self {
            key,
            quota,
            entries: BTreeMap::new(),
            by_cost: BTreeMap::new(),
            watchers: BTreeSet::new(),
            planned: RefCell::new(None),
        }
    }

    pub(in crate::store::memory) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[cfg(test)]
    pub(in crate::store::memory) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(in crate::store::memory) fn has(&self, number: u64) -> bool {
        self.entries.contains_key(&number)
    }

    /// Whether all who wait are decided by `quota`.
    pub(in crate::store::memory) fn is_by(&self, quota: Option<&Quota>) -> bool {
        self.quota.as_deref() == quota
    }

    /// The store's own quota changes to `own`.
    pub(in crate::store::memory) fn own_quota_is(&mut self, own: &A) {
        self.quota.take_if(|quota| own.under(quota).is_err());
        self.forget_plan();
    }

    /// Something but the waiters has changed the key's state: the first of those who watch it.
    pub(in crate::store::memory) fn disturb(&mut self) -> Option<WakeUp> {
        self.forget_plan();
        let first = self.first_watcher()?;
        Some(self.wake_up(first))
    }

    fn wake_up(&self, applicant: &Arc<dyn Applicant>) -> WakeUp {
        let wake = Arc::<dyn Applicant>::clone(applicant);
        WakeUp::of_applicant(self.key, applicant.number(), wake)
    }

    fn forget_plan(&mut self) {
        *self.planned.get_mut() = None;
    }

    /// Whether one before `number` is refused now. One whose cost can never fit is not waited for: it
    /// leaves with an error.
    pub(in crate::store::memory) fn is_refused_before(
        &self,
        view: &View<'_, A>,
        number: u64,
    ) -> bool {
        self.first_refused(view).is_some_and(|first| first < number)
    }

    fn first_refused(&self, view: &View<'_, A>) -> Option<u64> {
        let (left, limit) = (
            view.algorithm.remaining(view.state, view.now),
            view.algorithm.limit(),
        );
        if left >= limit {
            return None;
        }
        let refused = self.by_cost.range((Excluded(left), Included(limit)));
        refused.filter_map(|(_, all)| all.first().copied()).min()
    }

    /// The first of those who watch this key.
    pub(in crate::store::memory) fn first_watcher(&self) -> Option<&Arc<dyn Applicant>> {
        let first = self.entries.get(self.watchers.first()?)?;
        Some(&first.applicant)
    }

    /// The same, if it comes after `number`, which has gone.
    fn follower(&self, number: u64) -> Option<Arc<dyn Applicant>> {
        let first = self.first_watcher()?;
        (first.number() > number).then(|| Arc::clone(first))
    }

    /// Those who watch this key whose time is up, and the first one.
    pub(in crate::store::memory) fn concerned(&self, now: Ticks) -> impl Iterator<Item = WakeUp> {
        let first = self.watchers.first().copied();
        let watchers = self.watchers.iter();
        let entries = watchers.filter_map(|number| self.entries.get_key_value(number));
        entries
            .filter(move |(number, entry)| Some(**number) == first || entry.deadline <= now)
            .map(|(_, entry)| self.wake_up(&entry.applicant))
    }

    /// Everybody who watches this key.
    pub(in crate::store::memory) fn everybody(&self) -> impl Iterator<Item = WakeUp> {
        let watchers = self.entries.values().filter(|entry| entry.watches);
        watchers.map(|entry| self.wake_up(&entry.applicant))
    }

    /// Whether somebody before `number` can only go on in this thread.
    pub(in crate::store::memory) fn needs_this_thread(&self, number: u64) -> bool {
        let mut before = self.entries.range(..number);
        before.any(|(_, entry)| entry.applicant.needs_this_thread())
    }

    /// Until the key refuses nobody up to `number`, who asks for this cost, if it is the first of those
    /// who watch: nobody tells it then.
    pub(in crate::store::memory) fn first_polls_after(
        &self,
        view: &View<'_, A>,
        number: u64,
        cost: u32,
    ) -> Option<Ticks> {
        if self.watchers.first().is_some_and(|first| *first < number) {
            return None;
        }
        let limit = view.algorithm.limit();
        let costs = self.by_cost.range(..=limit).rev();
        let mut before = costs.filter(|(_, all)| all.first().is_some_and(|one| *one < number));
        let largest = before.next().map_or(0, |(cost, _)| *cost);
        Some(view.wait(largest.max(cost)))
    }

    /// Whether `number` looks after the first one who watches.
    pub(in crate::store::memory) fn is_lookout(&self, number: u64) -> bool {
        let before = self.watchers.range(..number).take(2).count();
        before == 1 || number.is_multiple_of(LOOKOUTS)
    }

    /// When `number` would be admitted, behind those before it who are refused or on their way.
    /// `Ticks::MAX`: nobody knows.
    pub(in crate::store::memory) fn admit_at(
        &self,
        view: &View<'_, A>,
        number: u64,
        cost: u32,
        quota: Option<&Quota>,
    ) -> Ticks {
        let refused_from = self.first_refused(view);
        let first = refused_from
            .into_iter()
            .chain(self.watchers.first().copied());
        let Some(first) = first.min().filter(|first| *first < number) else {
            return view.now.saturating_add(view.wait(cost));
        };
        let is_behind_all = self.entries.keys().next_back() < Some(&number);
        let entry = self.entries.get(&number);
        if self.is_by(quota) && (is_behind_all || entry.is_some()) {
            let mut planned = self.planned.borrow_mut();
            let is_overdue = self.is_overdue(refused_from, view.now);
            let is_it = |it: &Planned<A>| {
                !is_overdue && (it.first, it.refused_from) == (first, refused_from)
            };
            let planned = match &mut *planned {
                Some(it) if is_it(it) => it,
                other => other.insert(self.plan(view, first, refused_from)),
            };
            if let Some(at) = entry.and_then(|entry| entry.admit_at.get()) {
                return at.max(view.now);
            }
            if is_behind_all {
                let at = planned.at.max(view.now);
                return planned.after(view, at, cost);
            }
        }
        let before = self.counted(first, refused_from);
        let planned = Planned::of(view, before.take_while(|(other, _)| **other < number));
        planned.after(view, planned.at, cost)
    }

    /// Whether one who is refused was to be admitted by now: it was passed since, as another store refused
    /// it, and so it is not planned as it will be.
    fn is_overdue(&self, refused: Option<u64>, now: Ticks) -> bool {
        let entry = refused.and_then(|number| self.entries.get(&number));
        let planned_at = entry.and_then(|entry| entry.admit_at.get());
        planned_at.is_some_and(|at| at <= now)
    }

    /// Those who go before a newcomer: who is refused now, and who is on its way.
    fn counted(
        &self,
        first: u64,
        refused_from: Option<u64>,
    ) -> impl Iterator<Item = (&u64, &Entry)> {
        let entries = self.entries.range(first..);
        entries.filter(move |(number, entry)| {
            entry.watches || refused_from.is_some_and(|from| from <= **number)
        })
    }

    fn plan(&self, view: &View<'_, A>, first: u64, refused_from: Option<u64>) -> Planned<A> {
        for entry in self.entries.values() {
            entry.admit_at.set(None);
        }
        let mut planned = Planned::of(view, self.counted(first, refused_from));
        let mut from_first = self.entries.range(first..);
        planned.is_whole = from_first.all(|(_, entry)| entry.admit_at.get().is_some());
        (planned.first, planned.refused_from) = (first, refused_from);
        planned
    }

    /// Give a waiter its place. If it is refused now: when it is planned to be admitted, and by which
    /// algorithm.
    pub(in crate::store::memory) fn insert(
        &mut self,
        number: u64,
        entry: Entry,
        refused: Option<(&A, Ticks)>,
    ) {
        let is_last = self.entries.keys().next_back() < Some(&number);
        let planned = self.planned.get_mut();
        match (planned.as_mut().filter(|_| is_last), refused) {
            (Some(it), Some((algorithm, at))) => it.push(algorithm, at, &entry),
            (Some(it), None) => it.is_whole = false,
            (None, _) => *planned = None,
        }
        if entry.watches {
            self.watchers.insert(number);
        }
        self.by_cost.entry(entry.cost).or_default().insert(number);
        self.entries.insert(number, entry);
    }

    /// Whether a waiter watches this key from now on. Who is to be woken, if it was the first.
    pub(in crate::store::memory) fn set_watches(
        &mut self,
        number: u64,
        watches: bool,
    ) -> Option<Arc<dyn Applicant>> {
        let entry = self.entries.get_mut(&number)?;
        if entry.watches == watches {
            return None;
        }
        entry.watches = watches;
        self.forget_plan();
        if watches {
            self.watchers.insert(number);
            return None;
        }
        self.watchers.remove(&number);
        self.follower(number)
    }

    /// Take a waiter out, admitted now or given up. Who is to be woken: the first of those who watch,
    /// if it came later.
    pub(in crate::store::memory) fn remove(
        &mut self,
        number: u64,
        admitted_at: Option<Ticks>,
    ) -> Option<Arc<dyn Applicant>> {
        let gone = self.entries.remove(&number)?;
        self.watchers.remove(&number);
        if let Some(same) = self.by_cost.get_mut(&gone.cost) {
            same.remove(&number);
            if same.is_empty() {
                self.by_cost.remove(&gone.cost);
            }
        }
        let next = self.entries.range(number..).next();
        let next = next.map(|(number, _)| *number);
        let planned = self.planned.get_mut();
        let is_as_planned = match (planned.as_mut(), admitted_at, next) {
            (Some(it), Some(at), Some(next)) => it.pop(number, &gone, at, next),
            _ => false,
        };
        if !is_as_planned {
            *planned = None;
        }
        self.follower(number)
    }
}
