//! What comes back of a decision, or is spent beyond it.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::decision::PyGateDecision;
use super::limits::Limits;
use super::questions::Question;
use crate::python::arguments::{int, shown};
use crate::python::patiently;
use crate::store::{Ask, Fingerprint};

/// One limit's part of a decision that can come back.
pub(super) struct Back {
    /// Its place in the decision, and in the gate.
    told: usize,
    limit: usize,
    key: Fingerprint,
}

impl Limits {
    /// Whose units a decision can give back. All is checked before anything comes back.
    pub(super) fn redeemable(
        &self,
        keys: &[Option<Fingerprint>],
        decision: &PyGateDecision,
    ) -> PyResult<Vec<Back>> {
        if !decision.is_allowed() {
            return Err(no_receipt("it was refused, and spent nothing"));
        }
        let (mut backs, mut is_receipt) = (Vec::new(), false);
        for (told, part) in decision.parts.iter().enumerate() {
            let receipt = &part.decision.receipt;
            is_receipt |= receipt.store != 0;
            let stores = self.gate.limits();
            let is_mine = |limit: usize| stores[limit].store.is_mine(receipt);
            let Some(limit) = self
                .layout
                .place_of(decision.name_of(part))
                .filter(|&limit| is_mine(limit))
            else {
                continue;
            };
            match keys[limit] {
                Some(key) if key.tag() == receipt.key => backs.push(Back { told, limit, key }),
                _ => return Err(no_receipt("it is of other keys")),
            }
        }
        if !is_receipt {
            return Err(no_receipt(
                "it is a copy, spent nothing, or was made while limits were off",
            ));
        }
        if backs.is_empty() {
            return Err(no_receipt("it is of another gate"));
        }
        if !backs.iter().any(|back| decision.parts[back.told].is_left()) {
            return Err(no_receipt("all that it spent was given back before"));
        }
        Ok(backs)
    }

    /// Give all back that has not come back yet.
    pub(super) fn give_back(
        &self,
        py: Python<'_>,
        decision: &PyGateDecision,
        backs: &[Back],
    ) -> PyResult<()> {
        backs
            .iter()
            .try_for_each(|back| self.give_units_back(py, decision, back, u32::MAX))
    }

    /// Give units of one limit back, as many as are left.
    fn give_units_back(
        &self,
        py: Python<'_>,
        decision: &PyGateDecision,
        back: &Back,
        units: u32,
    ) -> PyResult<()> {
        let told = &decision.parts[back.told];
        let units = told.take_back(units);
        if units == 0 {
            return Ok(());
        }
        let (store, receipt) = (
            &self.gate.limits()[back.limit].store,
            &told.decision.receipt,
        );
        patiently(py, |patience| {
            store.refund_spend(back.key, receipt, units, patience)
        })
    }

    /// What a reservation has to put right, by unit: all is checked before anything is.
    pub(super) fn used(
        &self,
        questions: &[Question<Fingerprint>],
        actual: &Bound<'_, PyDict>,
    ) -> PyResult<Vec<Option<u32>>> {
        let mut used = vec![None; self.layout.units.len()];
        for (name, units) in actual {
            let text: String = name.extract()?;
            let unit = self.layout.units.iter().position(|unit| unit.name == text);
            let takes_part = |unit: usize| {
                questions
                    .iter()
                    .any(|asked| self.layout.parts[asked.limit].unit == unit)
            };
            let Some(unit) =
                unit.filter(|&unit| takes_part(unit) && !self.layout.units[unit].are_permits())
            else {
                return Err(self.not_reserved(questions, &name));
            };
            used[unit] = Some(int(&units, &text, 0, u32::MAX, "4,294,967,295")?);
        }
        Ok(used)
    }

    fn not_reserved(&self, questions: &[Question<Fingerprint>], name: &Bound<'_, PyAny>) -> PyErr {
        let units = self.layout.units.iter().enumerate();
        let reserved = |place: usize| {
            questions
                .iter()
                .any(|asked| self.layout.parts[asked.limit].unit == place)
        };
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

    /// Put right what was spent: less comes back, more is spent as well, whatever is left.
    pub(super) fn settle(
        &self,
        py: Python<'_>,
        questions: &[Question<Fingerprint>],
        decision: &PyGateDecision,
        used: &[Option<u32>],
    ) -> PyResult<()> {
        for question in questions {
            let Some(used) = used[self.layout.parts[question.limit].unit] else {
                continue;
            };
            // A limit that only watches may not have spent anything.
            let spent = |place: &usize| {
                let told = &decision.parts[*place];
                told.limit == question.limit
                    && told.decision.allowed
                    && told.decision.receipt.store != 0
            };
            let Some(told) = (0..decision.parts.len()).find(spent) else {
                continue;
            };
            let back = Back {
                told,
                limit: question.limit,
                key: question.key,
            };
            if used < question.cost {
                self.give_units_back(py, decision, &back, question.cost - used)?;
            } else if used > question.cost {
                let ask = Ask {
                    key: question.key,
                    cost: used - question.cost,
                    quota: question.quota.as_deref(),
                };
                let store = &self.gate.limits()[question.limit].store;
                patiently(py, |patience| store.spend_anyway(ask, patience))?;
            }
        }
        Ok(())
    }

    /// Give the permits of a decision back, or all that it spent.
    pub(super) fn end(
        &self,
        py: Python<'_>,
        questions: &[Question<Fingerprint>],
        decision: &PyGateDecision,
        all: bool,
    ) -> PyResult<()> {
        for question in questions {
            let told = decision
                .parts
                .iter()
                .position(|told| told.limit == question.limit);
            if let Some(told) = told
                && (all || self.layout.parts[question.limit].are_permits())
                && decision.parts[told].decision.allowed
                && decision.parts[told].decision.receipt.store != 0
            {
                let back = Back {
                    told,
                    limit: question.limit,
                    key: question.key,
                };
                self.give_units_back(py, decision, &back, u32::MAX)?;
            }
        }
        Ok(())
    }
}

fn no_receipt(why: &str) -> PyErr {
    PyValueError::new_err(format!(
        "decision must be the one by which this gate admitted these keys: {why}"
    ))
}
