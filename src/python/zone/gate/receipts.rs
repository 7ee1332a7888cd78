//! What comes back of a decision, or is spent beyond it.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::limits::{Asked, Limits};
use crate::decision::Decision;
use crate::python::gate::PyGateDecision;
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
        let limits = self.gate.limits();
        let is_mine = |limit: usize, told: &Decision| limits[limit].part.is_mine(&told.receipt);
        let tag = |limit: usize| keys[limit].map(Fingerprint::tag);
        let places = decision.redeemable(&self.layout, is_mine, tag)?.into_iter();
        let back = |(told, limit): (usize, usize)| {
            let key = keys[limit]?;
            Some(Back { told, limit, key })
        };
        Ok(places.filter_map(back).collect())
    }

    /// Give units back, as many as are left.
    pub(super) fn give_back(
        &self,
        decision: &PyGateDecision,
        back: &Back,
        units: u32,
    ) -> PyResult<()> {
        let units = decision.take_back(back.told, units);
        let receipt = &decision.part(back.told).receipt;
        if units > 0 {
            self.gate.give_back(back.limit, back.key, receipt, units)?;
        }
        Ok(())
    }

    /// What a reservation has to put right, by unit.
    pub(super) fn used(
        &self,
        questions: &[Asked],
        actual: &Bound<'_, PyDict>,
    ) -> PyResult<Vec<Option<u32>>> {
        let limits: Vec<_> = questions.iter().map(|question| question.limit).collect();
        self.layout.used(&limits, actual)
    }

    /// Put right what was spent: less comes back, more is spent as well, whatever is left.
    pub(super) fn settle(
        &self,
        questions: &[Asked],
        decision: &PyGateDecision,
        used: &[Option<u32>],
    ) -> PyResult<()> {
        for question in questions {
            let (Some(used), Some(back)) = (
                used[self.layout.parts[question.limit].unit],
                back_of(question, decision),
            ) else {
                continue;
            };
            if used < question.cost {
                self.give_back(decision, &back, question.cost - used)?;
            } else if used > question.cost {
                let ask = Ask {
                    key: question.key,
                    cost: used - question.cost,
                    quota: question.quota.as_deref(),
                };
                self.gate.limits()[question.limit].part.spend_anyway(ask)?;
            }
        }
        Ok(())
    }

    /// Give the permits of a decision back, or all that it spent.
    pub(super) fn end(
        &self,
        questions: &[Asked],
        decision: &PyGateDecision,
        all: bool,
    ) -> PyResult<()> {
        for question in questions {
            if let Some(back) = back_of(question, decision)
                && (all || self.layout.parts[question.limit].are_permits())
            {
                self.give_back(decision, &back, u32::MAX)?;
            }
        }
        Ok(())
    }
}

fn back_of(question: &Asked, decision: &PyGateDecision) -> Option<Back> {
    Some(Back {
        told: decision.spent_by(question.limit)?,
        limit: question.limit,
        key: question.key,
    })
}
