//! What a gate's limits count, in which unit and by which keys: how the arguments of a call are read.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

use super::asking::{Choice, Plan};
use super::part::{Part, named};
use crate::gate::MOST_LIMITS;
use crate::python::quota::PyQuota;
use crate::quota::{Quota, Terms};

/// What a cost of permits is called.
const CONCURRENT: &str = "concurrent";

/// One limit, as Python gives it: its name, what it counts by, its quota, its algorithm, whether it only
/// watches, whether its key may be left out, and which function names other quotas for a key.
pub(in crate::python) type GivenPart = (String, String, PyQuota, String, bool, bool, Option<usize>);

/// What limits count by.
pub(super) struct By {
    pub(super) name: Py<PyString>,
    pub(super) text: Arc<str>,
}

/// What costs count.
pub(super) struct Unit {
    pub(super) name: String,
    /// What a call costs that does not say.
    pub(super) default: Option<u32>,
}

/// The limits of a gate, in their order.
pub(in crate::python) struct Layout {
    pub(in crate::python) parts: Box<[Part]>,
    pub(in crate::python) names: Arc<[Arc<str>]>,
    places: HashMap<Arc<str>, usize>,
    pub(super) bys: Vec<By>,
    pub(super) places_of_bys: HashMap<Arc<str>, usize>,
    pub(super) units: Vec<Unit>,
    pub(super) plans: Box<[Plan]>,
    /// All of them, as most calls concern them.
    pub(super) all: Choice,
    /// Whether a call that names no cost costs each limit 1, and is decided by the declared quotas.
    pub(super) is_plain: bool,
}

impl Layout {
    /// The limits, and the functions that name quotas for keys.
    pub(in crate::python) fn new(
        py: Python<'_>,
        given: Vec<GivenPart>,
        plans: Vec<Py<PyAny>>,
    ) -> PyResult<Self> {
        let (mut bys, mut places_of_bys) = (Vec::new(), HashMap::new());
        let mut units = Vec::new();
        let mut plans: Vec<_> = plans.into_iter().map(Plan::new).collect();
        let mut parts = Vec::with_capacity(given.len());
        for (place, part) in given.into_iter().enumerate() {
            let (name, counted_by, PyQuota(quota), algorithm, is_shadow, is_optional, plan) = part;
            if let Some(plan) = plan {
                plans[plan].add(place);
            }
            let counted_by: Arc<str> = counted_by.into();
            let by = *places_of_bys
                .entry(Arc::clone(&counted_by))
                .or_insert_with(|| {
                    bys.push(By {
                        name: PyString::intern(py, &counted_by).unbind(),
                        text: counted_by,
                    });
                    bys.len() - 1
                });
            parts.push(Part {
                name: name.into(),
                by,
                unit: unit(&mut units, &quota),
                algorithm: named(&algorithm, &quota)?,
                quota,
                is_shadow,
                is_optional,
            });
        }
        let counts_requests = |unit: &Unit| unit.default.is_some() && !unit.are_permits();
        let names: Arc<[_]> = parts.iter().map(|part| Arc::clone(&part.name)).collect();
        let places = names.iter().cloned().enumerate();
        Ok(Self {
            is_plain: plans.is_empty()
                && units.iter().all(counts_requests)
                && parts.len() <= MOST_LIMITS,
            places: places.map(|(place, name)| (name, place)).collect(),
            names,
            all: Choice::of(&parts, (0..parts.len()).map(|limit| (limit, None))),
            parts: parts.into(),
            bys,
            places_of_bys,
            units,
            plans: plans.into(),
        })
    }

    /// The limit of that name.
    pub(in crate::python) fn place_of(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// For Python's garbage collector: a function may lead back to its gate.
    pub(in crate::python) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.plans.iter().try_for_each(|plan| plan.visit(visit))
    }
}

fn unit(units: &mut Vec<Unit>, quota: &Quota) -> usize {
    let are_permits = matches!(quota.terms, Terms::Concurrent(_));
    let name = if are_permits {
        CONCURRENT
    } else {
        &*quota.unit
    };
    if let Some(place) = units.iter().position(|unit| unit.name == name) {
        return place;
    }
    let is_one = are_permits || name == crate::quota::REQUESTS;
    units.push(Unit {
        name: name.into(),
        default: is_one.then_some(1),
    });
    units.len() - 1
}

impl Unit {
    pub(super) fn are_permits(&self) -> bool {
        self.name == CONCURRENT
    }
}
