//! What comes back of a decision, or is spent beyond it.

use pyo3::prelude::*;
use smallvec::SmallVec;

use super::FEW;
use super::asking::{Choice, Used};
use super::decision::PyGateDecision;
use super::limits::Limits;
use crate::decision::Decision;
use crate::gate::Question;
use crate::python::arguments::wrong_type;
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
        let stores = self.gate.limits();
        let is_mine = |limit: usize, told: &Decision| stores[limit].store.is_mine(&told.receipt);
        let tag = |limit: usize| keys[limit].map(Fingerprint::tag);
        let places = decision.redeemable(&self.layout, is_mine, tag)?.into_iter();
        let back = |(told, limit): (usize, usize)| {
            let key = keys[limit]?;
            Some(Back { told, limit, key })
        };
        Ok(places.filter_map(back).collect())
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

    /// What is to be put right of what was asked: see [`Layout::used`](super::layout::Layout::used).
    pub(super) fn used(
        &self,
        chosen: Option<&Choice>,
        questions: &[Question],
        cost: &Bound<'_, PyAny>,
        actual: &Bound<'_, PyAny>,
    ) -> PyResult<Used> {
        let limits: SmallVec<[usize; FEW]> = questions.iter().map(|asked| asked.limit).collect();
        self.layout.used(chosen, &limits, cost, actual)
    }

    /// That a decision can be put right by what was used.
    pub(super) fn can_be_put_right(
        &self,
        questions: &[Question],
        decision: &PyGateDecision,
        used: &Used,
    ) -> PyResult<()> {
        let stores = self.gate.limits();
        let is_mine = |limit: usize, told: &Decision| stores[limit].store.is_mine(&told.receipt);
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
        py: Python<'_>,
        questions: &[Question],
        decision: &PyGateDecision,
        used: &Used,
    ) -> PyResult<()> {
        for (question, used) in questions.iter().zip(used) {
            let (Some(used), Some(told)) = (*used, decision.spent_by(question.limit)) else {
                continue;
            };
            if !decision.put_right(told) {
                continue;
            }
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
        questions: &[Question],
        decision: &PyGateDecision,
        all: bool,
    ) -> PyResult<()> {
        for question in questions {
            if let Some(told) = decision.spent_by(question.limit)
                && (all || self.layout.parts[question.limit].are_permits())
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

/// The decision that is given as a receipt.
pub(in crate::python) fn receipt<'a, 'py>(
    decision: &'a Bound<'py, PyAny>,
) -> PyResult<&'a Bound<'py, PyGateDecision>> {
    let expected = "the GateDecision by which this gate admitted these keys";
    let cast = decision.cast::<PyGateDecision>();
    cast.map_err(|_| wrong_type("decision", expected, decision))
}
