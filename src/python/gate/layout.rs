//! What a gate's limits count, in which unit and by which keys: how the arguments of a call are read.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

use super::answers::Plan;
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
    pub(super) text: String,
    /// A limit that needs a key, if one does.
    pub(super) required_for: Option<Arc<str>>,
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
    pub(super) bys: Vec<By>,
    pub(super) units: Vec<Unit>,
    pub(super) plans: Box<[Plan]>,
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
        let (mut bys, mut units) = (Vec::new(), Vec::new());
        let mut plans: Vec<_> = plans.into_iter().map(Plan::new).collect();
        let mut parts = Vec::with_capacity(given.len());
        for (place, part) in given.into_iter().enumerate() {
            let (name, counted_by, PyQuota(quota), algorithm, is_shadow, is_optional, plan) = part;
            if let Some(plan) = plan {
                plans[plan].add(place);
            }
            let part = Part {
                name: name.into(),
                by: by(py, &mut bys, &counted_by),
                unit: unit(&mut units, &quota),
                algorithm: named(&algorithm, &quota)?,
                quota,
                is_shadow,
            };
            let required_for = &mut bys[part.by].required_for;
            if required_for.is_none() && !is_optional {
                *required_for = Some(Arc::clone(&part.name));
            }
            parts.push(part);
        }
        let counts_requests = |unit: &Unit| unit.default.is_some() && !unit.are_permits();
        Ok(Self {
            is_plain: plans.is_empty()
                && units.iter().all(counts_requests)
                && parts.len() <= MOST_LIMITS,
            names: parts.iter().map(|part| Arc::clone(&part.name)).collect(),
            parts: parts.into(),
            bys,
            units,
            plans: plans.into(),
        })
    }

    /// The limit that counts permits, if one does.
    pub(in crate::python) fn permits(&self) -> Option<&Part> {
        self.parts.iter().find(|part| part.are_permits())
    }

    /// The limit of that name.
    pub(in crate::python) fn place_of(&self, name: &str) -> Option<usize> {
        self.parts.iter().position(|part| &*part.name == name)
    }

    /// For Python's garbage collector: a function may lead back to its gate.
    pub(in crate::python) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.plans.iter().try_for_each(|plan| plan.visit(visit))
    }
}

fn by(py: Python<'_>, bys: &mut Vec<By>, text: &str) -> usize {
    if let Some(place) = bys.iter().position(|by| by.text == text) {
        return place;
    }
    bys.push(By {
        name: PyString::intern(py, text).unbind(),
        text: text.into(),
        required_for: None,
    });
    bys.len() - 1
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
