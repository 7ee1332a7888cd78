//! `ZoneGate`: the verbs of a gate whose limits are in a zone.

mod call;
mod in_force;
mod limits;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};

use super::limiters::manual;
use super::place::PyZone;
use crate::clock::seconds;
use crate::gate::{HeldPermits, ZoneGate};
use crate::python::arguments::Given;
use crate::python::decision::PyStatistics;
use crate::python::gate::{GivenPart, Layout, PyGateDecision, PyGateQuotas, Receipts, receipt};
use crate::python::limits_off::limits_are_off;
use crate::python::quota::PyQuota;
use crate::quota::window;
use crate::store::Patience;
pub(in crate::python) use call::PyZoneGateCall;
use in_force::InForce;
use limits::{Home, Kept};

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// Calls that were admitted and refused, and what each limit did.
type Counted = (u64, u64, Vec<(String, PyStatistics)>);

/// What is told of where a limit is kept: its name in the zone, the largest amount that its counters
/// are to hold, and its permits' lease in seconds.
type GivenPlace = (String, u32, f64);

/// What the gates in a zone are based on.
#[pyclass(
    subclass,
    frozen,
    weakref,
    name = "ZoneGate",
    module = "sluicegate._core"
)]
pub(in crate::python) struct PyZoneGate {
    in_force: Arc<InForce>,
}

/// The permits of a gate that this process holds.
#[pyclass(frozen, weakref, name = "ZoneGatePermits", module = "sluicegate._core")]
pub(in crate::python) struct PyZoneGatePermits(Arc<HeldPermits>);

#[pymethods]
impl PyZoneGatePermits {
    /// Begin the lease of all permits anew of which it is time. Seconds until that is to be done again;
    /// ``None`` if none is held.
    fn renew(&self, py: Python<'_>) -> Option<f64> {
        py.detach(|| self.0.renew()).map(seconds)
    }

    /// How many calls hold permits.
    fn __len__(&self) -> usize {
        self.0.len()
    }
}

fn kept(places: Vec<GivenPlace>) -> PyResult<Vec<Kept>> {
    let places = places.into_iter();
    places
        .map(|(name, largest, lease)| Ok((name, largest, window(lease)?)))
        .collect()
}

#[pymethods]
impl PyZoneGate {
    #[new]
    #[pyo3(signature = (zone, parts, plans, places, clock=None))]
    fn new(
        py: Python<'_>,
        zone: &Bound<'_, PyZone>,
        parts: Vec<GivenPart>,
        plans: Vec<Py<PyAny>>,
        places: Vec<GivenPlace>,
        clock: Option<Any<'_, '_>>,
    ) -> PyResult<Self> {
        let zone = Arc::clone(&zone.get().zone);
        let home = Arc::new(Home {
            clock: manual(clock)?,
            zone,
            held: HeldPermits::new(),
            admitted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let layout = Layout::new(py, parts, plans)?;
        let in_force = InForce::new(py, &home, layout, kept(places)?)?;
        Ok(Self {
            in_force: Arc::new(in_force),
        })
    }

    /// Decide now for all limits, and spend from all of them if none refuses: a :class:`GateDecision`, which
    /// is true when allowed. Where one refuses, nothing stays spent anywhere.
    ///
    /// ``keys`` names the keys by what the limits count by, as ``{"user": "u1", "org": "acme"}``; a ``str`` will
    /// do where all count by the same. A key that is ``None`` leaves its limits out. ``cost`` is by unit, as
    /// ``{"tokens": 900}``: requests cost 1 unless named, and a unit that costs 0 leaves its limits out. A
    /// number will do where there is only one unit.
    ///
    /// From any thread or coroutine: it waits for nobody, and takes about as long as a check of each
    /// limit alone. It looks at all limits, then spends from one after the other: one that is empty by then
    /// refuses, and what was spent comes back at once. Until it is back, another call may be refused.
    ///
    /// Raises ``TypeError`` or ``ValueError``, with nothing spent, for a key that is missing, unknown or no
    /// ``str``, a cost of a unit that no limit has or above what one could ever admit, or a quota of
    /// ``quota_for`` that fits none of its limits; ``TypeError`` for a gate with permits, which
    /// :meth:`reserve` is for.
    #[pyo3(signature = (keys, cost=Given::Nothing), text_signature = "($self, keys, cost=1)")]
    fn check(&self, keys: Any<'_, '_>, cost: Given<'_>) -> PyResult<Py<PyGateDecision>> {
        let limits = self.in_force.limits();
        limits.layout.without_permits(None, "check")?;
        let questions = limits.questions(None, keys, cost.value().as_ref())?;
        limits.spend(keys.py(), &questions)
    }

    /// What chooses limits, and quotas for them: one for each limit in their order; ``None``: that limit
    /// takes no part. It stays right when limits are added behind the last one.
    #[pyo3(signature = (quotas))]
    fn _quotas(&self, quotas: Vec<Option<PyQuota>>) -> PyResult<PyGateQuotas> {
        let limits = self.in_force.limits();
        let quotas = PyGateQuotas::new(&limits.layout, quotas)?;
        limits.examine(&quotas.0)?;
        Ok(quotas)
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
        limits.ask(keys.py(), &questions, ZoneGate::peek)
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
        limits.ask(keys.py(), &questions, ZoneGate::peek)
    }

    /// Give back what ``decision`` spent: of each limit those very units that still count, and nothing of
    /// one whose window has passed. See the ``refund`` of a limiter; ``keys`` are those of the decision.
    ///
    /// Once, in the process that decided: raises ``ValueError``, with nothing given back, for a decision that
    /// has come back, a copy, a refusal, or one of another gate or other keys; ``TypeError`` for what is no
    /// :class:`GateDecision`.
    #[pyo3(signature = (keys, decision))]
    fn refund(&self, keys: Any<'_, '_>, decision: Any<'_, '_>) -> PyResult<()> {
        let (limits, decision) = (self.in_force.limits(), receipt(decision)?.get());
        let known = limits.keys_of_limits(keys)?;
        if limits_are_off() {
            return Ok(());
        }
        limits.refund(keys.py(), &known, decision)
    }

    /// Forget these keys, for all processes: the whole quota of every limit that counts by one of them
    /// is back. Those that are left out, or ``None``, stay as they are.
    ///
    /// Raises ``TypeError`` or ``ValueError`` for a key that is unknown or no ``str``.
    #[pyo3(signature = (keys))]
    fn reset(&self, keys: Any<'_, '_>) -> PyResult<()> {
        let limits = self.in_force.limits();
        let known = limits.keys_of_limits(keys)?;
        for (limit, key) in limits.gate.limits().iter().zip(known) {
            if let Some(key) = key {
                limit.part.reset(key, Patience::Try)?;
            }
        }
        Ok(())
    }

    /// Forget every key of every limit, for all processes. Statistics stay. Other threads run meanwhile.
    fn clear(&self, py: Python<'_>) {
        let limits = self.in_force.limits();
        py.detach(|| {
            let limits = limits.gate.limits().iter();
            limits.for_each(|limit| limit.part.clear());
        });
    }

    /// Put other limits in the place of these. Tells which of them begin afresh although there was one
    /// of their name.
    #[pyo3(signature = (parts, plans, places))]
    fn _set_parts(
        &self,
        py: Python<'_>,
        parts: Vec<GivenPart>,
        plans: Vec<Py<PyAny>>,
        places: Vec<GivenPlace>,
    ) -> PyResult<Vec<String>> {
        let layout = Layout::new(py, parts, plans)?;
        self.in_force.replace(py, layout, kept(places)?)
    }

    /// Admitted and refused calls of this process, of each limit its name and what it has done.
    fn _counts(&self, py: Python<'_>) -> PyResult<Counted> {
        let limits = self.in_force.limits();
        let counts = py.detach(|| {
            let each = limits.gate.limits().iter();
            each.map(|limit| limit.part.statistics(Patience::Wait))
                .collect::<Result<Vec<_>, _>>()
        })?;
        let names = limits.layout.names.iter().map(ToString::to_string);
        let by_limit = names
            .zip(counts.into_iter().map(PyStatistics::from))
            .collect();
        let home = &limits.home;
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        Ok((count(&home.admitted), count(&home.refused), by_limit))
    }

    /// How many calls of this process found a limit empty that had room when they looked.
    fn _lost_races(&self) -> u64 {
        self.in_force.limits().gate.lost_races()
    }

    /// A call that waits, or is put right later, of all limits or those that are chosen. Where no permit
    /// may be kept, the `verb` is named.
    #[pyo3(signature = (keys, cost, verb=None, quotas=None))]
    fn _call(
        &self,
        keys: Any<'_, '_>,
        cost: Any<'_, '_>,
        verb: Option<&str>,
        quotas: Option<&Bound<'_, PyGateQuotas>>,
    ) -> PyResult<PyZoneGateCall> {
        let chosen = quotas.map(|quotas| Arc::clone(&quotas.get().0));
        PyZoneGateCall::new(&self.in_force, keys, cost, verb, chosen)
    }

    /// The permits that this process holds by it.
    fn _permits(&self) -> PyZoneGatePermits {
        PyZoneGatePermits(Arc::clone(&self.in_force.limits().home.held))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.in_force.limits().layout.visit(&visit)
    }
}
