//! `ZoneGate`: the verbs of a gate whose limits are in a zone.

mod call;
mod in_force;
mod limits;
mod receipts;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::limiters::manual;
use super::place::PyZone;
use crate::clock::seconds;
use crate::gate::{HeldPermits, ZoneGate};
use crate::python::arguments::{Given, wrong_type};
use crate::python::decision::PyStatistics;
use crate::python::gate::{GivenPart, Layout, PyGateDecision, PyGateQuotas};
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
        limits.layout.without_permits("check")?;
        let questions = limits.questions(None, keys, cost.value().as_ref())?;
        limits.spend(keys.py(), &questions)
    }

    /// Quotas for :meth:`_check_by`, one for each limit in their order; ``None``: that limit takes no part.
    #[pyo3(signature = (quotas))]
    fn _quotas(&self, quotas: Vec<Option<PyQuota>>) -> PyResult<PyGateQuotas> {
        let limits = self.in_force.limits();
        let quotas = PyGateQuotas::new(&limits.layout, quotas)?;
        limits.examine(&quotas.0)?;
        Ok(quotas)
    }

    /// :meth:`check` by these quotas, of whatever key. They stay right when limits are added behind the
    /// last one.
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
        let limits = self.in_force.limits();
        limits.layout.without_permits("check")?;
        let questions = limits.questions(Some(&quotas.get().0), keys, cost.value().as_ref())?;
        limits.spend(keys.py(), &questions)
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
        let Ok(decision) = decision.cast::<PyGateDecision>() else {
            let expected = "the GateDecision by which this gate admitted these keys";
            return Err(wrong_type("decision", expected, decision));
        };
        let (limits, decision) = (self.in_force.limits(), decision.get());
        let known = limits.keys_of_limits(keys)?;
        if limits_are_off() {
            return Ok(());
        }
        let backs = limits.redeemable(&known, decision)?;
        backs
            .iter()
            .try_for_each(|back| limits.give_back(decision, back, u32::MAX))
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

    /// A call that waits, or is put right later. Where no permit may be kept, the `verb` is named.
    #[pyo3(signature = (keys, cost, verb=None))]
    fn _call(
        &self,
        keys: Any<'_, '_>,
        cost: Any<'_, '_>,
        verb: Option<&str>,
    ) -> PyResult<PyZoneGateCall> {
        PyZoneGateCall::new(&self.in_force, keys, cost, verb)
    }

    /// The permits that this process holds by it.
    fn _permits(&self) -> PyZoneGatePermits {
        PyZoneGatePermits(Arc::clone(&self.in_force.limits().home.held))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.in_force.limits().layout.visit(&visit)
    }
}
