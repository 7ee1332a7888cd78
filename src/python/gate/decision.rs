//! `GateDecision`: what all limits said, and the decision of the one that decides.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString, PyTuple, PyType};

use crate::clock::Ticks;
use crate::decision::{Decision, Receipt, Source};
use crate::gate::{MOST_LIMITS, Verdict};
use crate::python::arguments::{shown, wrong_type};
use crate::python::decision::PyDecision;

/// The outcome of a call of a :class:`Gate`: a :class:`Decision`, whose attributes are those of the limit
/// that decides.
///
/// That is, of those that refuse, the one that waits longest: its ``retry_after`` is the wait for all of
/// them. When none refuses it is the one with the smallest share left. If no limit took part, the call is
/// allowed, ``name`` is ``None`` and ``limits`` is empty.
///
/// The one that a gate gave is a receipt: ``gate.refund(keys, decision)`` gives back what it spent.
/// Copies and pickles are none. For tests of your own, ``GateDecision({"user/second": Decision(...)})`` is made of
/// the limits' decisions; ``shadow`` names those that only watch.
///
/// Raises ``TypeError`` for what are no decisions, ``ValueError`` for more than 32 or a name in ``shadow``
/// that is none of theirs.
#[pyclass(extends = PyDecision, subclass, frozen, eq, hash, name = "GateDecision", module = "sluicegate")]
pub(in crate::python) struct PyGateDecision {
    names: Arc<[Arc<str>]>,
    pub(super) parts: Box<[Told]>,
    verdict: Verdict,
    /// Whether no gate has given it.
    pub(super) is_copy: bool,
}

/// What one limit said.
#[derive(Debug)]
pub(super) struct Told {
    /// Its place among the names.
    pub(super) limit: usize,
    pub(super) decision: Decision,
    pub(super) is_shadow: bool,
    /// How much of what it spent has come back.
    returned: AtomicU32,
    /// Whether what it spent was put right by what was used.
    is_right: AtomicBool,
}

impl Told {
    pub(super) fn new(limit: usize, decision: Decision, is_shadow: bool) -> Self {
        Self {
            limit,
            decision,
            is_shadow,
            returned: AtomicU32::new(0),
            is_right: AtomicBool::new(false),
        }
    }

    pub(super) fn has_receipt(&self) -> bool {
        self.decision.receipt.store != 0
    }

    /// Whether it can give anything back. What keys spent for which there was no room never comes back,
    /// and is no mistake.
    pub(super) fn is_left(&self) -> bool {
        let cost = self.decision.receipt.cost;
        cost == 0 || self.returned.load(SeqCst) < cost
    }

    /// Whether it can be put right.
    pub(super) fn is_open(&self) -> bool {
        self.is_left() && !self.is_right.load(SeqCst)
    }

    /// It is put right now. False: it was before.
    pub(super) fn put_right(&self) -> bool {
        !self.is_right.swap(true, SeqCst)
    }

    /// Take units off the receipt, as many as are left; how many.
    pub(super) fn take_back(&self, units: u32) -> u32 {
        let mut taken = 0;
        let _ = self.returned.fetch_update(SeqCst, SeqCst, |returned| {
            taken = units.min(self.decision.receipt.cost.saturating_sub(returned));
            Some(returned + taken)
        });
        taken
    }
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        (self.decision, self.is_shadow) == (other.decision, other.is_shadow)
    }
}

impl PartialEq for PyGateDecision {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts && self.parts_names().eq(other.parts_names())
    }
}

impl Hash for PyGateDecision {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (told, name) in self.parts.iter().zip(self.parts_names()) {
            (told.decision, told.is_shadow, name).hash(state);
        }
    }
}

impl PyGateDecision {
    /// What the limits said, at a Unix time that is told by `now`, and what comes of it.
    pub(super) fn of(
        names: &Arc<[Arc<str>]>,
        parts: Vec<Told>,
        verdict: Verdict,
        now: impl FnOnce() -> Ticks,
    ) -> PyClassInitializer<Self> {
        Self::made(names, parts, verdict, now, false)
    }

    fn made(
        names: &Arc<[Arc<str>]>,
        parts: Vec<Told>,
        verdict: Verdict,
        now: impl FnOnce() -> Ticks,
        is_copy: bool,
    ) -> PyClassInitializer<Self> {
        let decides = verdict.decides.and_then(|place| parts.get(place));
        let decision = decides.map_or_else(|| nobody(now()), |told| told.decision);
        let gate = Self {
            names: Arc::clone(names),
            parts: parts.into(),
            verdict,
            is_copy,
        };
        let base = PyDecision::from(Decision {
            receipt: Receipt::NONE,
            ..decision
        });
        PyClassInitializer::from(base).add_subclass(gate)
    }

    pub(super) fn name_of(&self, told: &Told) -> &Arc<str> {
        &self.names[told.limit]
    }

    fn parts_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.parts.iter().map(|told| self.name_of(told))
    }

    /// The limit that decides; `None` when none takes part.
    pub(super) fn decides(&self) -> Option<&Told> {
        self.verdict.decides.and_then(|place| self.parts.get(place))
    }

    pub(in crate::python) fn is_allowed(&self) -> bool {
        self.verdict.allowed
    }
}

/// The class, the limits' decisions, and which only watch.
type Reduced<'py> = (Bound<'py, PyType>, (Bound<'py, PyDict>, Vec<String>));

/// The decision of a call in which no limit takes part.
fn nobody(at: Ticks) -> Decision {
    Decision {
        allowed: true,
        limit: u32::MAX,
        remaining: u32::MAX,
        retry_after: 0,
        reset_after: 0,
        at,
        source: Source::Memory,
        receipt: Receipt::NONE,
    }
}

#[pymethods]
impl PyGateDecision {
    #[new]
    #[pyo3(signature = (limits, shadow=None), text_signature = "(limits, shadow=())")]
    fn new(
        limits: &Bound<'_, PyAny>,
        shadow: Option<Vec<String>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let expected = "a mapping of names to decisions";
        let Ok(limits) = limits.cast::<PyMapping>() else {
            return Err(wrong_type("limits", expected, limits));
        };
        let (mut names, mut parts) = (Vec::<Arc<str>>::new(), Vec::new());
        let shadow = shadow.unwrap_or_default();
        for item in limits.items()?.iter() {
            let (name, decision): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            let Ok(text) = name.cast::<PyString>() else {
                return Err(wrong_type("limits' names", "str", &name));
            };
            let Ok(decision) = decision.cast::<PyDecision>() else {
                return Err(wrong_type(
                    &format!("limits[{}]", shown(&name)),
                    "a Decision",
                    &decision,
                ));
            };
            let name: Arc<str> = text.to_string_lossy().into();
            let decision = Decision {
                receipt: Receipt::NONE,
                ..decision.get().0
            };
            parts.push(Told::new(
                names.len(),
                decision,
                shadow.iter().any(|other| **other == *name),
            ));
            names.push(name);
        }
        if parts.len() > MOST_LIMITS {
            let message = format!("limits must be at most {MOST_LIMITS}, got {}", parts.len());
            return Err(PyValueError::new_err(message));
        }
        if let Some(stranger) = shadow
            .iter()
            .find(|name| !names.iter().any(|own| **own == ***name))
        {
            let message = format!("shadow must name some of the limits, got {stranger:?}");
            return Err(PyValueError::new_err(message));
        }
        let enforced = parts.iter().enumerate().filter(|(_, told)| !told.is_shadow);
        let verdict = Verdict::of(enforced.map(|(place, told)| (place, &told.decision)));
        Ok(Self::made(&names.into(), parts, verdict, || 0, true))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Reduced<'py>> {
        let this = slf.get();
        let shadow = this.parts.iter().filter(|told| told.is_shadow);
        let shadow = shadow.map(|told| this.name_of(told).to_string()).collect();
        Ok((slf.get_type(), (this.by_name(slf.py())?, shadow)))
    }

    /// The name of the limit that decides; ``None`` when none took part.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.decides().map(|told| &**self.name_of(told))
    }

    /// Each limit that took part, by name, with its own :class:`Decision`: read-only. Where another one
    /// refuses, what a look would tell.
    #[getter]
    fn limits<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let proxy = py.import("types")?.getattr("MappingProxyType")?;
        proxy.call1((self.by_name(py)?,))
    }

    /// The names of all limits that refuse, in the order of the gate: never one that only watches.
    #[getter]
    fn refused_by<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let refuses = |place: &usize| self.verdict.refused_by & 1 << place != 0;
        let places = (0..self.parts.len()).filter(refuses);
        let names: Vec<_> = places
            .map(|place| &**self.name_of(&self.parts[place]))
            .collect();
        PyTuple::new(py, names)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (this, base) = (slf.get(), slf.as_super().get().0);
        let limits = (this.parts.iter().zip(this.parts_names())).map(|(told, name)| {
            format!(
                "{name}: {} of {}",
                told.decision.remaining, told.decision.limit
            )
        });
        Ok(format!(
            "GateDecision(allowed={}, name={}, retry_after={:?}, refused_by={}, left={{{}}})",
            if base.allowed { "True" } else { "False" },
            this.name()
                .map_or_else(|| "None".into(), |name| format!("{name:?}")),
            crate::clock::seconds(base.retry_after),
            this.refused_by(slf.py())?.repr()?,
            limits.collect::<Vec<_>>().join(", ")
        ))
    }
}

impl PyGateDecision {
    fn by_name<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for told in &self.parts {
            // What a limit spent comes back with what the others did, by the decision of all.
            let decision = Decision {
                receipt: Receipt::NONE,
                ..told.decision
            };
            dict.set_item(
                &**self.name_of(told),
                Bound::new(py, PyDecision::from(decision))?,
            )?;
        }
        Ok(dict)
    }
}
