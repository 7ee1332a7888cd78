//! What comes back of a decision, or is spent beyond it.

use pyo3::prelude::*;

use super::limits::{Asked, Limits};
use crate::decision::Decision;
use crate::python::gate::{Choice, PyGateDecision, Used};
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

    /// What is to be put right of what was asked: see [`Layout::used`].
    pub(super) fn used(
        &self,
        chosen: Option<&Choice>,
        questions: &[Asked],
        cost: &Bound<'_, PyAny>,
        actual: &Bound<'_, PyAny>,
    ) -> PyResult<Used> {
        let limits: Vec<_> = questions.iter().map(|question| question.limit).collect();
        self.layout.used(chosen, &limits, cost, actual)
    }

    /// That a decision can be put right by what was used.
    pub(super) fn can_be_put_right(
        &self,
        questions: &[Asked],
        decision: &PyGateDecision,
        used: &Used,
    ) -> PyResult<()> {
        let limits = self.gate.limits();
        let is_mine = |limit: usize, told: &Decision| limits[limit].part.is_mine(&told.receipt);
        let asked = |limit: usize| questions.iter().find(|asked| asked.limit == limit);
        let tag = |limit: usize| Some(asked(limit)?.key.tag());
        let used = questions
            .iter()
            .zip(used)
            .filter(|(_, used)| used.is_some());
        let limits = used.map(|(asked, _)| asked.limit);
        decision.can_be_put_right(&self.layout, limits, is_mine, tag)
    }

    /// Put right what was spent: less comes back, more is spent as well, whatever is left.
    pub(super) fn settle(
        &self,
        questions: &[Asked],
        decision: &PyGateDecision,
        used: &Used,
    ) -> PyResult<()> {
        for (question, used) in questions.iter().zip(used) {
            let (Some(used), Some(back)) = (*used, back_of(question, decision)) else {
                continue;
            };
            if !decision.put_right(back.told) {
                continue;
            }
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
