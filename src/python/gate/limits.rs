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
use crate::clock::Ticks;
use crate::gate::{LimitAsk, MemoryGate, Question, Settled, Verdict};
use crate::python::arguments::with_bytes;
use crate::python::limits_off::{limits_are_off, untouched};
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
        let known = layout.questions_by(chosen, keys, cost, |key| self.fingerprint(key))?;
        let known = known.into_iter();
        Ok(known
            .map(|asked| Question {
                limit: asked.limit,
                key: asked.key,
                cost: asked.cost,
                quota: asked.quota.or_else(|| self.quotas[asked.limit].clone()),
            })
            .collect())
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

/// The questions, as the gate takes them.
pub(super) fn asks<'a>(questions: &'a [Question]) -> Asks<'a> {
    let ask = |question: &'a Question| {
        let ask = Ask {
            key: question.key,
            cost: question.cost,
            quota: question.quota.as_deref(),
        };
        LimitAsk::new(question.limit, ask)
    };
    questions.iter().map(ask).collect()
}
