//! What can come back of a decision, and what is to be put right, wherever the limits are kept.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::decision::{PyGateDecision, Told};
use super::layout::Layout;
use crate::clock::unix_now;
use crate::decision::Decision;
use crate::gate::Verdict;
use crate::python::arguments::{int, shown};

impl PyGateDecision {
    /// What those limits said that are known to have said something, each with its place.
    pub(in crate::python) fn told(
        layout: &Names,
        decisions: &[(usize, Decision)],
    ) -> PyClassInitializer<Self> {
        let is_enforced = |(_, (limit, _)): &(usize, &(usize, Decision))| !layout.shadows[*limit];
        let enforced = decisions.iter().enumerate().filter(is_enforced);
        let verdict = Verdict::of(enforced.map(|(place, (_, decision))| (place, decision)));
        let parts = decisions
            .iter()
            .map(|(limit, decision)| Told::new(*limit, *decision, layout.shadows[*limit]));
        Self::of(&layout.names, parts.collect(), verdict, unix_now)
    }

    /// The decision at a place.
    pub(in crate::python) fn part(&self, place: usize) -> &Decision {
        &self.parts[place].decision
    }

    /// Take units off the receipt at a place, as many as are left; how many.
    pub(in crate::python) fn take_back(&self, place: usize, units: u32) -> u32 {
        self.parts[place].take_back(units)
    }

    /// The place of what that limit spent. One that only watches may not have spent anything.
    pub(in crate::python) fn spent_by(&self, limit: usize) -> Option<usize> {
        let has_spent = |told: &Told| {
            told.limit == limit && told.decision.allowed && told.decision.receipt.store != 0
        };
        self.parts.iter().position(has_spent)
    }

    /// What can be given back, by its place and its limit's. All is checked before anything comes back;
    /// `tag` is that of the key which is given for a limit.
    pub(in crate::python) fn redeemable(
        &self,
        layout: &Layout,
        is_mine: impl Fn(usize, &Decision) -> bool,
        tag: impl Fn(usize) -> Option<u32>,
    ) -> PyResult<Vec<(usize, usize)>> {
        if !self.is_allowed() {
            return Err(no_receipt("it was refused, and spent nothing"));
        }
        let (mut backs, mut is_receipt) = (Vec::new(), false);
        for (place, part) in self.parts.iter().enumerate() {
            is_receipt |= part.decision.receipt.store != 0;
            let limit = layout.place_of(self.name_of(part));
            let Some(limit) = limit.filter(|&limit| is_mine(limit, &part.decision)) else {
                continue;
            };
            match tag(limit) {
                Some(tag) if tag == part.decision.receipt.key => backs.push((place, limit)),
                _ => return Err(no_receipt("it is of other keys")),
            }
        }
        if !is_receipt {
            return Err(no_receipt(
                "it is a copy, spent nothing, or was made while limits were off",
            ));
        }
        if backs.is_empty() {
            return Err(no_receipt(
                "it is of another gate, or of limits that are no longer in force",
            ));
        }
        if !backs.iter().any(|(place, _)| self.parts[*place].is_left()) {
            return Err(no_receipt("all that it spent was given back before"));
        }
        Ok(backs)
    }
}

/// How decisions tell limits by their places.
pub(in crate::python) struct Names {
    names: std::sync::Arc<[std::sync::Arc<str>]>,
    shadows: Box<[bool]>,
}

impl Layout {
    /// What decisions have to know of it.
    pub(in crate::python) fn as_names(&self) -> Names {
        Names {
            names: std::sync::Arc::clone(&self.names),
            shadows: self.parts.iter().map(|part| part.is_shadow).collect(),
        }
    }

    /// What a reservation of these limits has to put right, by unit: all is checked before anything is.
    pub(in crate::python) fn used(
        &self,
        limits: &[usize],
        actual: &Bound<'_, PyDict>,
    ) -> PyResult<Vec<Option<u32>>> {
        let mut used = vec![None; self.units.len()];
        for (name, units) in actual {
            let text: String = name.extract().unwrap_or_default();
            let unit = self.units.iter().position(|unit| unit.name == text);
            let takes_part = |unit: usize| limits.iter().any(|&at| self.parts[at].unit == unit);
            let Some(unit) =
                unit.filter(|&unit| takes_part(unit) && !self.units[unit].are_permits())
            else {
                return Err(self.not_reserved(limits, &name));
            };
            used[unit] = Some(int(&units, &text, 0, u32::MAX, "4,294,967,295")?);
        }
        Ok(used)
    }

    fn not_reserved(&self, limits: &[usize], name: &Bound<'_, PyAny>) -> PyErr {
        let units = self.units.iter().enumerate();
        let reserved = |unit: usize| limits.iter().any(|&at| self.parts[at].unit == unit);
        let units: Vec<_> = units
            .filter(|(place, unit)| reserved(*place) && !unit.are_permits())
            .map(|(_, unit)| format!("{}=…", unit.name))
            .collect();
        let right = match &units[..] {
            [] => "nothing: only permits were, which are held until the block ends".into(),
            _ => units.join(", "),
        };
        PyValueError::new_err(format!(
            "settle must be of units that were reserved, {right}, got {}",
            shown(name)
        ))
    }
}

fn no_receipt(why: &str) -> PyErr {
    PyValueError::new_err(format!(
        "decision must be the one by which this gate admitted these keys: {why}"
    ))
}
