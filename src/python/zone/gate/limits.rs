//! The limits of a gate in a zone, with their stores; and what comes of a call.

use std::mem::discriminant;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;
use smallvec::SmallVec;

use crate::algorithm::AnyAlgorithm;
use crate::clock::{ManualClock, Ticks};
use crate::decision::{Decision, Receipt};
use crate::error;
use crate::gate::{HeldPermits, LimitAsk, Question, Verdict, ZoneGate, ZoneLimit};
use crate::python::arguments::with_bytes;
use crate::python::gate::{Back, Choice, Layout, Names, Part, PyGateDecision, Receipts};
use crate::python::limits_off::{limits_are_off, untouched};
use crate::python::zone::place::refused;
use crate::store::zone::{Zone, part_in_zone};
use crate::store::{Ask, Fingerprint, Patience};

/// The name of a limit in the zone, the largest amount that its counters are to hold, and the lease
/// of its permits.
pub(super) type Kept = (String, u32, Ticks);

/// Where all limits of a gate are, whatever they are.
pub(super) struct Home {
    pub(super) zone: Arc<Zone>,
    /// `None`: the zone's own.
    pub(super) clock: Option<Arc<ManualClock>>,
    pub(super) held: Arc<HeldPermits>,
    pub(super) admitted: AtomicU64,
    pub(super) refused: AtomicU64,
}

/// The limits of a gate, and where their keys are.
pub(super) struct Limits {
    pub(super) layout: Layout,
    pub(super) gate: ZoneGate,
    pub(super) home: Arc<Home>,
    names: Names,
    kept: Vec<Kept>,
}

/// A verb of the gate.
pub(super) type Verb = fn(&ZoneGate, &mut [LimitAsk<'_>]) -> error::Result<Verdict>;

impl Limits {
    /// Limits that go on with what is in the zone. Those of `before` that are the same but for the
    /// amount keep their counts and receipts; also the names of the others.
    pub(super) fn new(
        py: Python<'_>,
        home: &Arc<Home>,
        layout: Layout,
        kept: Vec<Kept>,
        before: Option<&Self>,
    ) -> PyResult<(Self, Vec<String>)> {
        let mut limits = Vec::with_capacity(layout.parts.len());
        let (mut goes_on, mut afresh) = (Vec::new(), Vec::new());
        for (part, kept) in layout.parts.iter().zip(&kept) {
            let known = before.and_then(|before| before.place_of(part));
            let same = known.filter(|(before, place)| before.is_kept(*place, part, kept));
            let store = if let Some((before, place)) = same {
                let store = Arc::clone(&before.gate.limits()[place].part);
                goes_on.push((Arc::clone(&store), algorithm(part, kept)));
                store
            } else {
                afresh.extend(known.map(|_| part.name.to_string()));
                let of = part_in_zone(
                    &home.zone,
                    &kept.0,
                    &algorithm(part, kept),
                    kept.1,
                    home.clock.as_ref(),
                );
                of.map_err(|refusal| refused(py, &refusal))?
            };
            let is_shadow = part.is_shadow;
            limits.push(ZoneLimit {
                part: store,
                is_shadow,
            });
        }
        let this = Self {
            gate: ZoneGate::new(limits, Arc::clone(&home.held))?,
            names: layout.as_names(),
            home: Arc::clone(home),
            layout,
            kept,
        };
        for (store, algorithm) in goes_on {
            store.replace(&algorithm)?; // which was asked before whether it fits
        }
        Ok((this, afresh))
    }

    fn place_of(&self, part: &Part) -> Option<(&Self, usize)> {
        Some((self, self.layout.place_of(&part.name)?))
    }

    /// Whether what was spent from the limit at a place counts for another part.
    fn is_kept(&self, place: usize, part: &Part, kept: &Kept) -> bool {
        let before = &self.layout.parts[place];
        let asked = Ask {
            quota: Some(&part.quota),
            ..Ask::new(self.gate.fingerprint(b""), 1)
        };
        discriminant(&part.algorithm) == discriminant(&before.algorithm)
            && part.quota.unit == before.quota.unit
            && (&self.kept[place].0, self.kept[place].2) == (&kept.0, kept.2)
            && before.algorithm.under(&part.quota).is_ok()
            && self.gate.limits()[place]
                .part
                .examine(asked, Patience::Try)
                .is_ok()
    }

    /// Raise what a call by these quotas would, where the zone has no room for one.
    pub(super) fn examine(&self, choice: &Choice) -> PyResult<()> {
        for member in &choice.members {
            if let Some(quota) = &member.quota {
                let ask = Ask {
                    quota: Some(quota),
                    ..Ask::new(self.gate.fingerprint(b""), 1)
                };
                let limit = &self.gate.limits()[member.limit];
                limit.part.examine(ask, Patience::Try)?;
            }
        }
        Ok(())
    }

    /// By what a key is known here.
    pub(super) fn fingerprint(
        &self,
        key: &Bound<'_, pyo3::types::PyString>,
    ) -> PyResult<Fingerprint> {
        with_bytes(key.as_any(), |bytes| self.gate.fingerprint(bytes))
    }

    /// What the limits are asked, all or those that are chosen.
    pub(super) fn questions(
        &self,
        chosen: Option<&Choice>,
        keys: &Bound<'_, PyAny>,
        cost: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<SmallVec<[Question; 4]>> {
        self.layout
            .questions_by(chosen, keys, cost, |key| self.fingerprint(key))
    }

    /// The keys that are given, by limit.
    pub(super) fn keys_of_limits(
        &self,
        keys: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<Option<Fingerprint>>> {
        self.layout
            .keys_of_limits(keys, |key| self.fingerprint(key))
    }

    /// What the limits say of a call.
    pub(super) fn ask(
        &self,
        py: Python<'_>,
        questions: &[Question],
        verb: Verb,
    ) -> PyResult<Py<PyGateDecision>> {
        let decisions: SmallVec<[(usize, Decision); 4]> = if limits_are_off() {
            self.untouched(questions)
        } else {
            let mut asks: SmallVec<[_; 4]> = questions.iter().map(Question::ask).collect();
            verb(&self.gate, &mut asks)?;
            let told = asks.iter();
            told.filter_map(|ask| Some((ask.limit, ask.decision?)))
                .collect()
        };
        Py::new(py, PyGateDecision::told(&self.names, &decisions))
    }

    /// Decide and spend, whether permits are among the limits or not.
    pub(super) fn spend(
        &self,
        py: Python<'_>,
        questions: &[Question],
    ) -> PyResult<Py<PyGateDecision>> {
        let told = self.ask(py, questions, ZoneGate::check)?;
        if !limits_are_off() {
            let Home {
                admitted, refused, ..
            } = &*self.home;
            let is_allowed = told.get().is_allowed();
            let count = if is_allowed { admitted } else { refused };
            count.fetch_add(1, Relaxed);
        }
        Ok(told)
    }

    fn untouched(&self, questions: &[Question]) -> SmallVec<[(usize, Decision); 4]> {
        let first = &self.gate.limits()[0].part;
        let at = first.unix(first.now());
        let told = questions.iter().map(|question| {
            let own = &self.layout.parts[question.limit].quota;
            let quota = question.quota.as_deref().unwrap_or(own);
            let limit = quota.limit().unwrap_or(u32::MAX);
            (question.limit, untouched(limit, at))
        });
        told.collect()
    }
}

impl Receipts for Limits {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn is_mine(&self, limit: usize, receipt: &Receipt) -> bool {
        self.gate.limits()[limit].part.is_mine(receipt)
    }

    fn give_back(&self, _: Python<'_>, back: &Back, receipt: &Receipt, units: u32) -> PyResult<()> {
        self.gate.give_back(back.limit, back.key, receipt, units)?;
        Ok(())
    }

    fn spend_anyway(&self, _: Python<'_>, limit: usize, ask: Ask<'_>) -> PyResult<()> {
        self.gate.limits()[limit].part.spend_anyway(ask)?;
        Ok(())
    }
}

/// The algorithm of a part; permits in a zone have a lease.
fn algorithm(part: &Part, (_, _, lease): &Kept) -> AnyAlgorithm {
    match part.algorithm.clone() {
        AnyAlgorithm::Permits(permits) => AnyAlgorithm::Permits(crate::algorithm::Permits {
            lease: *lease,
            ..permits
        }),
        other => other,
    }
}
