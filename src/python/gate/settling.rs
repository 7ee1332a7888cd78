//! What can come back of a decision, and what is to be put right, wherever the limits are kept.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::decision::{PyGateDecision, Told};
use super::layout::Layout;
use crate::clock::unix_now;
use crate::decision::Decision;
use crate::gate::Verdict;

/// A part of a decision, by its place there and its limit's.
type Place = (usize, usize);

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

    /// Put what was spent at a place right. False: somebody else does.
    pub(in crate::python) fn put_right(&self, place: usize) -> bool {
        self.parts[place].put_right()
    }

    /// The place of what that limit spent. One that only watches may not have spent anything.
    pub(in crate::python) fn spent_by(&self, limit: usize) -> Option<usize> {
        let has_spent =
            |told: &Told| told.limit == limit && told.decision.allowed && told.has_receipt();
        self.parts.iter().position(has_spent)
    }

    /// What can be given back, by its place and its limit's. All is checked before anything comes back;
    /// `tag` is that of the key which is given for a limit.
    pub(in crate::python) fn redeemable(
        &self,
        layout: &Layout,
        is_mine: impl Fn(usize, &Decision) -> bool,
        tag: impl Fn(usize) -> Option<u32>,
    ) -> PyResult<Vec<Place>> {
        let backs = self.mine(layout, is_mine, tag)?;
        if !self.parts.iter().any(Told::has_receipt) {
            return Err(no_receipt(
                "it is a copy, spent nothing, or was made while limits were off",
            ));
        }
        if !backs.iter().any(|(place, _)| self.parts[*place].is_left()) {
            return Err(no_receipt("all that it spent was given back before"));
        }
        Ok(backs)
    }

    /// That what was used at some limits can be put right, each once. What a limit let pass without
    /// spending, as one that only watches or a server that does not answer, is nothing to put right.
    pub(in crate::python) fn can_be_put_right(
        &self,
        layout: &Layout,
        limits: impl Iterator<Item = usize>,
        is_mine: impl Fn(usize, &Decision) -> bool,
        tag: impl Fn(usize) -> Option<u32>,
    ) -> PyResult<()> {
        if self.is_copy {
            return Err(no_receipt("it is a copy"));
        }
        self.mine(layout, is_mine, tag)?;
        let mut limits = limits.filter_map(|limit| Some((limit, self.spent_by(limit)?)));
        match limits.find(|(_, place)| !self.parts[*place].is_open()) {
            Some((limit, _)) => Err(no_receipt(&format!(
                "what it spent of '{}' was put right or given back before",
                layout.names[limit]
            ))),
            None => Ok(()),
        }
    }

    /// What it has spent here, of these keys.
    fn mine(
        &self,
        layout: &Layout,
        is_mine: impl Fn(usize, &Decision) -> bool,
        tag: impl Fn(usize) -> Option<u32>,
    ) -> PyResult<Vec<Place>> {
        if !self.is_allowed() {
            return Err(no_receipt("it was refused, and spent nothing"));
        }
        let (mut mine, mut are_any) = (Vec::new(), false);
        for (place, part) in self.parts.iter().enumerate() {
            are_any |= part.has_receipt();
            let limit = layout.place_of(self.name_of(part));
            let Some(limit) = limit.filter(|&limit| is_mine(limit, &part.decision)) else {
                continue;
            };
            match tag(limit) {
                Some(tag) if tag == part.decision.receipt.key => mine.push((place, limit)),
                _ => return Err(no_receipt("it is of other keys")),
            }
        }
        if are_any && mine.is_empty() {
            return Err(no_receipt(
                "it is of another gate, or of limits that are no longer in force",
            ));
        }
        Ok(mine)
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
}

fn no_receipt(why: &str) -> PyErr {
    PyValueError::new_err(format!(
        "decision must be the one by which this gate admitted these keys: {why}"
    ))
}
