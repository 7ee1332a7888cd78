//! `Gate`: the verbs of the one in memory.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};

use super::asking::PyGateQuotas;
use super::call::PyGateCall;
use super::decision::PyGateDecision;
use super::in_force::InForce;
use super::layout::{GivenPart, Layout};
use super::receipts::{Receipts, receipt};
use crate::gate::MemoryGate;
use crate::python::arguments::Given;
use crate::python::decision::PyStatistics;
use crate::python::limits_off::limits_are_off;
use crate::python::memory::options;
use crate::python::patiently;
use crate::python::quota::PyQuota;

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// Calls that were admitted and refused, and what each limit did.
type Counted = (u64, u64, Vec<(String, PyStatistics)>);

/// What the gates in memory are based on.
#[pyclass(subclass, frozen, weakref, name = "Gate", module = "sluicegate._core")]
pub(in crate::python) struct PyGate {
    in_force: Arc<InForce>,
    /// The limits that begin afresh although the gate before had one of their name.
    afresh: Vec<String>,
}

#[pymethods]
impl PyGate {
    #[new]
    #[pyo3(signature = (parts, plans, max_keys=None, overflow=None, clock=None, before=None))]
    fn new(
        py: Python<'_>,
        parts: Vec<GivenPart>,
        plans: Vec<Py<PyAny>>,
        max_keys: Option<Any<'_, '_>>,
        overflow: Option<Any<'_, '_>>,
        clock: Option<Any<'_, '_>>,
        before: Option<&Bound<'_, Self>>,
    ) -> PyResult<Self> {
        let layout = Layout::new(py, parts, plans)?;
        let (in_force, afresh) = match before {
            Some(before) => before.get().in_force.successor(layout)?,
            None => (
                InForce::new(layout, options(max_keys, overflow, clock)?)?,
                Vec::new(),
            ),
        };
        Ok(Self {
            in_force: Arc::new(in_force),
            afresh,
        })
    }

    /// The limits that begin afresh although the gate before had one of their name.
    fn _afresh(&self) -> Vec<String> {
        self.afresh.clone()
    }

    /// Decide now for all limits, and spend from all of them if none refuses: a :class:`GateDecision`, which
    /// is true when allowed. Where one refuses, nothing is spent anywhere.
    ///
    /// ``keys`` names the keys by what the limits count by, as ``{"user": "u1", "org": "acme"}``; a ``str`` will
    /// do where all count by the same. A key that is ``None`` leaves its limits out. ``cost`` is by unit, as
    /// ``{"tokens": 900}``: requests cost 1 unless named, and a unit that costs 0 leaves its limits out. A
    /// number will do where there is only one unit.
    ///
    /// From any thread or coroutine: it does no I/O, and takes about as long as a check of each limit alone.
    ///
    /// Raises ``TypeError`` or ``ValueError``, with nothing spent, for a key that is missing, unknown or no
    /// ``str``, a cost of a unit that no limit has or above what one could ever admit, or a quota of
    /// ``quota_for`` that fits none of its limits; ``TypeError`` for a gate with permits, which
    /// :meth:`reserve` is for.
    #[pyo3(signature = (keys, cost=Given::Nothing), text_signature = "($self, keys, cost=1)")]
    fn check(&self, keys: Any<'_, '_>, cost: Given<'_>) -> PyResult<Py<PyGateDecision>> {
        let limits = self.in_force.limits();
        if let Some(decision) = limits.check_plainly(keys, &cost) {
            return decision;
        }
        limits.layout.without_permits(None, "check")?;
        let questions = limits.questions(None, keys, cost.value().as_ref())?;
        limits.spend(keys.py(), &questions)
    }

    /// What chooses limits, and quotas for them: one for each limit in their order; ``None``: that limit
    /// takes no part. It stays right when limits are added behind the last one.
    #[pyo3(signature = (quotas))]
    fn _quotas(&self, quotas: Vec<Option<PyQuota>>) -> PyResult<PyGateQuotas> {
        PyGateQuotas::new(&self.in_force.limits().layout, quotas)
    }

    /// :meth:`check` of the limits that are chosen, by these quotas. ``cost`` may be a ``tuple`` of one for
    /// each of them in their order, where 0 leaves one out. Takes no longer for those that are not chosen.
    #[pyo3(
        signature = (quotas, keys, cost=Given::Nothing),
        text_signature = "($self, quotas, keys, cost=1)"
    )]
    fn _check_by(
        &self,
        quotas: &Bound<'_, PyGateQuotas>,
        keys: Any<'_, '_>,
        cost: Given<'_>,
    ) -> PyResult<Py<PyGateDecision>> {
        let (limits, chosen) = (self.in_force.limits(), Some(&*quotas.get().0));
        limits.layout.without_permits(chosen, "check")?;
        let questions = limits.questions(chosen, keys, cost.value().as_ref())?;
        limits.spend(keys.py(), &questions)
    }

    /// :meth:`peek` of the limits that are chosen, as :meth:`_check_by`.
    #[pyo3(
        signature = (quotas, keys, cost=Given::Nothing),
        text_signature = "($self, quotas, keys, cost=1)"
    )]
    fn _peek_by(
        &self,
        quotas: &Bound<'_, PyGateQuotas>,
        keys: Any<'_, '_>,
        cost: Given<'_>,
    ) -> PyResult<Py<PyGateDecision>> {
        let (limits, chosen) = (self.in_force.limits(), Some(&*quotas.get().0));
        let questions = limits.questions(chosen, keys, cost.value().as_ref())?;
        let told = limits.ask(keys.py(), &questions, MemoryGate::peek)?;
        Py::new(keys.py(), told)
    }

    /// Put right what ``decision`` spent at the limits that were chosen, by what was used of each: less
    /// comes back, more is spent as a debt of at most one quota, ``None`` leaves it. The other arguments
    /// are those by which it was admitted. What a limit let pass without spending stays as it is.
    ///
    /// Once for each limit: raises ``ValueError`` as :meth:`refund`, with nothing put right.
    #[pyo3(signature = (quotas, keys, cost, decision, used))]
    fn _settle_by(
        &self,
        quotas: &Bound<'_, PyGateQuotas>,
        keys: Any<'_, '_>,
        cost: Any<'_, '_>,
        decision: Any<'_, '_>,
        used: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        let (limits, chosen) = (self.in_force.limits(), Some(&*quotas.get().0));
        let decision = receipt(decision)?.get();
        let questions = limits.questions(chosen, keys, Some(cost))?;
        let used = limits.used(chosen, &questions, cost, used)?;
        if limits_are_off() {
            return Ok(());
        }
        limits.can_be_put_right(&questions, decision, &used)?;
        limits.settle(keys.py(), &questions, decision, &used)
    }

    /// Whether :meth:`check` or :meth:`reserve` would be admitted now, and what is left before it. Spends
    /// nothing and counts in no statistics. Raises what :meth:`check` raises, but not for permits.
    #[pyo3(signature = (keys, cost=Given::Nothing), text_signature = "($self, keys, cost=1)")]
    fn peek(&self, keys: Any<'_, '_>, cost: Given<'_>) -> PyResult<Py<PyGateDecision>> {
        let limits = self.in_force.limits();
        let questions = limits.questions(None, keys, cost.value().as_ref())?;
        let told = limits.ask(keys.py(), &questions, MemoryGate::peek)?;
        Py::new(keys.py(), told)
    }

    /// Give back what ``decision`` spent: of each limit those very units that still count, and nothing of
    /// one whose window has passed. See the ``refund`` of a limiter; ``keys`` are those of the decision.
    ///
    /// Once: raises ``ValueError``, with nothing given back, for a decision that has come back, a copy, a
    /// refusal, or one of another gate or other keys; ``TypeError`` for what is no :class:`GateDecision`.
    #[pyo3(signature = (keys, decision))]
    fn refund(&self, keys: Any<'_, '_>, decision: Any<'_, '_>) -> PyResult<()> {
        let (limits, decision) = (self.in_force.limits(), receipt(decision)?.get());
        let known = limits.keys_of_limits(keys)?;
        if limits_are_off() {
            return Ok(());
        }
        limits.refund(keys.py(), &known, decision)
    }

    /// Forget these keys: the whole quota of every limit that counts by one of them is back. Those that
    /// are left out, or ``None``, stay as they are.
    ///
    /// Raises ``TypeError`` or ``ValueError`` for a key that is unknown or no ``str``.
    #[pyo3(signature = (keys))]
    fn reset(&self, keys: Any<'_, '_>) -> PyResult<()> {
        let limits = self.in_force.limits();
        let known = limits.keys_of_limits(keys)?;
        for (limit, key) in limits.gate.limits().iter().zip(known) {
            if let Some(key) = key {
                patiently(keys.py(), |patience| limit.store.reset(key, patience))?;
            }
        }
        Ok(())
    }

    /// Forget every key of every limit. Statistics stay. Other threads run meanwhile.
    fn clear(&self, py: Python<'_>) {
        let limits = self.in_force.limits();
        py.detach(|| {
            let limits = limits.gate.limits().iter();
            limits.for_each(|limit| limit.store.clear());
        });
    }

    /// Put other limits in the place of these. Tells which of them begin afresh although there was one
    /// of their name.
    #[pyo3(signature = (parts, plans))]
    fn _set_parts(
        &self,
        py: Python<'_>,
        parts: Vec<GivenPart>,
        plans: Vec<Py<PyAny>>,
    ) -> PyResult<Vec<String>> {
        let layout = Layout::new(py, parts, plans)?;
        let (_before, afresh) = py.detach(|| self.in_force.replace(layout))?;
        Ok(afresh)
    }

    /// Admitted and refused calls, and of each limit its name and what it has done.
    fn _counts(&self, py: Python<'_>) -> PyResult<Counted> {
        let limits = self.in_force.limits();
        let counts = patiently(py, |patience| limits.gate.statistics(patience))?;
        let names = limits.layout.names.iter().map(ToString::to_string);
        let by_limit = names
            .zip(counts.into_iter().map(PyStatistics::from))
            .collect();
        Ok((
            limits.counts.admitted.load(Relaxed),
            limits.counts.refused.load(Relaxed),
            by_limit,
        ))
    }

    /// A call that waits, or is put right later, of all limits or those that are chosen. Where no permit
    /// may be kept, the `verb` is named.
    #[pyo3(signature = (keys, cost, verb=None, quotas=None))]
    fn _call(
        slf: &Bound<'_, Self>,
        keys: Any<'_, '_>,
        cost: Any<'_, '_>,
        verb: Option<String>,
        quotas: Option<&Bound<'_, PyGateQuotas>>,
    ) -> PyResult<PyGateCall> {
        let gate = slf.clone().into_any().unbind();
        let chosen = quotas.map(|quotas| Arc::clone(&quotas.get().0));
        PyGateCall::new(&slf.get().in_force, gate, keys, cost, verb, chosen)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.in_force.limits().layout.visit(&visit)
    }
}
