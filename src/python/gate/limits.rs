//! The limits of a gate in memory, with their stores; and what comes of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::types::PyString;
use smallvec::SmallVec;

use super::FEW;
use super::asking::Choice;
use super::decision::{PyGateDecision, Told};
use super::layout::Layout;
use super::receipts::{Back, Receipts};
use crate::clock::Ticks;
use crate::decision::Receipt;
use crate::gate::{LimitAsk, MemoryGate, Question, Settled, Verdict};
use crate::python::arguments::with_bytes;
use crate::python::limits_off::{limits_are_off, untouched};
use crate::python::patiently;
use crate::quota::Quota;
use crate::store::{self, Ask, Fingerprint, JointStore, Patience, Stop};

/// The limits of a gate, and where their keys are.
pub(super) struct Limits {
    pub(super) layout: Layout,
    pub(super) gate: Arc<MemoryGate>,
    /// By which quota each of them asks its store, if that one's own is another.
    pub(super) quotas: Box<[Option<Arc<Quota>>]>,
    pub(super) counts: Arc<Counts>,
}

/// Calls of a gate, whatever its limits were.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) admitted: AtomicU64,
    pub(super) refused: AtomicU64,
}

/// A verb of the gate.
type Verb = fn(&MemoryGate, &mut [LimitAsk<'_>], Patience) -> store::Result<Verdict>;

/// What some limits are asked.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) limits: Arc<Limits>,
    pub(super) questions: Arc<[Question]>,
}

/// What all limits said of a call.
pub(super) type Said<'a> = (Asks<'a>, Verdict);

/// Questions with room for the answers.
pub(super) type Asks<'a> = SmallVec<[LimitAsk<'a>; FEW]>;

impl Limits {
    /// By what a key is known here.
    pub(super) fn fingerprint(&self, key: &Bound<'_, PyString>) -> PyResult<Fingerprint> {
        with_bytes(key.as_any(), |bytes| self.gate.fingerprint(bytes))
    }

    /// What the limits are asked, all or those that are chosen.
    pub(super) fn questions(
        &self,
        chosen: Option<&Choice>,
        keys: &Bound<'_, PyAny>,
        cost: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<SmallVec<[Question; FEW]>> {
        let layout = &self.layout;
        let mut questions = layout.questions_by(chosen, keys, cost, |key| self.fingerprint(key))?;
        for asked in &mut questions {
            if asked.quota.is_none() {
                asked.quota.clone_from(&self.quotas[asked.limit]);
            }
        }
        Ok(questions)
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
    ) -> PyResult<PyClassInitializer<PyGateDecision>> {
        if limits_are_off() {
            let (asks, verdict) = self.untouched(questions);
            return Ok(self.told(&asks, &verdict));
        }
        self.answer(py, &mut asks(questions), verb)
    }

    /// The same of questions as the gate takes them, while limits are not off.
    pub(super) fn answer(
        &self,
        py: Python<'_>,
        asks: &mut [LimitAsk<'_>],
        verb: Verb,
    ) -> PyResult<PyClassInitializer<PyGateDecision>> {
        let mut verdict = verb(&self.gate, asks, Patience::Try);
        if let Err(Stop::Locked) = verdict {
            verdict = py.detach(|| verb(&self.gate, asks, Patience::Wait));
        }
        Ok(self.told(asks, &verdict?))
    }

    /// Decide and spend, whether permits are among the limits or not.
    pub(super) fn spend(
        &self,
        py: Python<'_>,
        questions: &[Question],
    ) -> PyResult<Py<PyGateDecision>> {
        let told = Bound::new(py, self.ask(py, questions, MemoryGate::check)?)?;
        if !limits_are_off() {
            self.count(told.get().is_allowed());
        }
        Ok(told.unbind())
    }

    pub(super) fn count(&self, is_allowed: bool) {
        let Counts { admitted, refused } = &*self.counts;
        let count = if is_allowed { admitted } else { refused };
        count.fetch_add(1, Relaxed);
    }

    /// What comes of what the limits said, for Python.
    pub(super) fn told(
        &self,
        asks: &[LimitAsk<'_>],
        verdict: &Verdict,
    ) -> PyClassInitializer<PyGateDecision> {
        let mut told = Vec::with_capacity(asks.len());
        for ask in asks {
            if let Some(decision) = ask.decision {
                let is_shadow = self.layout.parts[ask.limit].is_shadow;
                told.push(Told::new(ask.limit, decision, is_shadow));
            }
        }
        PyGateDecision::of(&self.layout.names, told, *verdict, || self.unix_now())
    }

    /// The same of a call that has waited.
    pub(super) fn told_after_wait(
        &self,
        questions: &[Question],
        settled: &Settled,
    ) -> PyClassInitializer<PyGateDecision> {
        let mut asks = asks(questions);
        for (ask, decision) in asks.iter_mut().zip(&settled.decisions) {
            ask.decision = Some(*decision);
        }
        self.told(&asks, &settled.verdict)
    }

    /// The same while limits are off: all are admitted by nobody.
    pub(super) fn untouched<'a>(&self, questions: &'a [Question]) -> Said<'a> {
        let at = self.unix_now();
        let mut asks = asks(questions);
        for (ask, question) in asks.iter_mut().zip(questions) {
            let own = &self.layout.parts[question.limit].quota;
            let quota = question.quota.as_deref().unwrap_or(own);
            ask.decision = Some(untouched(quota.limit().unwrap_or(u32::MAX), at));
        }
        let decided = asks.iter().enumerate();
        let decided = decided.filter_map(|(place, ask)| Some((place, ask.decision.as_ref()?)));
        let verdict = Verdict::of(decided);
        (asks, verdict)
    }

    /// The time on the clock that all limits share.
    pub(super) fn now(&self) -> Ticks {
        self.first().now()
    }

    pub(super) fn has_manual_clock(&self) -> bool {
        self.first().is_manual()
    }

    fn unix_now(&self) -> Ticks {
        let first = self.first();
        first.unix(first.now())
    }

    fn first(&self) -> &dyn JointStore {
        &*self.gate.limits()[0].store
    }
}

impl Receipts for Limits {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn is_mine(&self, limit: usize, receipt: &Receipt) -> bool {
        self.gate.limits()[limit].store.is_mine(receipt)
    }

    fn give_back(
        &self,
        py: Python<'_>,
        back: &Back,
        receipt: &Receipt,
        units: u32,
    ) -> PyResult<()> {
        let store = &self.gate.limits()[back.limit].store;
        patiently(py, |patience| {
            store.refund_spend(back.key, receipt, units, patience)
        })
    }

    fn spend_anyway(&self, py: Python<'_>, limit: usize, ask: Ask<'_>) -> PyResult<()> {
        let store = &self.gate.limits()[limit].store;
        patiently(py, |patience| store.spend_anyway(ask, patience))?;
        Ok(())
    }
}

/// The questions, as the gate takes them.
pub(super) fn asks(questions: &[Question]) -> Asks<'_> {
    questions.iter().map(Question::ask).collect()
}
