//! What comes back of a decision, or is spent beyond it, where that is done at once.

use pyo3::prelude::*;
use smallvec::SmallVec;

use super::FEW;
use super::asking::{Choice, Used};
use super::decision::PyGateDecision;
use super::layout::Layout;
use crate::decision::{Decision, Receipt};
use crate::gate::Question;
use crate::python::arguments::wrong_type;
use crate::store::{Ask, Fingerprint};

/// One limit's part of a decision that can come back.
pub(in crate::python) struct Back {
    /// Its place in the decision, and in the gate.
    told: usize,
    pub(in crate::python) limit: usize,
    pub(in crate::python) key: Fingerprint,
}

/// The limits of a gate, as those who have receipts of it see them.
pub(in crate::python) trait Receipts {
    fn layout(&self) -> &Layout;

    /// Whether it is of what that limit has spent.
    fn is_mine(&self, limit: usize, receipt: &Receipt) -> bool;

    /// Give units of one spend back, those that still count.
    fn give_back(&self, py: Python<'_>, back: &Back, receipt: &Receipt, units: u32)
    -> PyResult<()>;

    /// Spend from one limit whether it fits or not.
    fn spend_anyway(&self, py: Python<'_>, limit: usize, ask: Ask<'_>) -> PyResult<()>;

    /// Give all back that a decision spent of these keys. All is checked before anything comes back.
    fn refund(
        &self,
        py: Python<'_>,
        keys: &[Option<Fingerprint>],
        decision: &PyGateDecision,
    ) -> PyResult<()> {
        let is_mine = |limit: usize, told: &Decision| self.is_mine(limit, &told.receipt);
        let tag = |limit: usize| keys[limit].map(Fingerprint::tag);
        for (told, limit) in decision.redeemable(self.layout(), is_mine, tag)? {
            if let Some(key) = keys[limit] {
                self.give_units_back(py, decision, &Back { told, limit, key }, u32::MAX)?;
            }
        }
        Ok(())
    }

    /// Give units of one limit back, as many as are left.
    fn give_units_back(
        &self,
        py: Python<'_>,
        decision: &PyGateDecision,
        back: &Back,
        units: u32,
    ) -> PyResult<()> {
        let units = decision.take_back(back.told, units);
        if units == 0 {
            return Ok(());
        }
        self.give_back(py, back, &decision.part(back.told).receipt, units)
    }

    /// What is to be put right of what was asked: see [`Layout::used`].
    fn used(
        &self,
        chosen: Option<&Choice>,
        questions: &[Question],
        cost: &Bound<'_, PyAny>,
        actual: &Bound<'_, PyAny>,
    ) -> PyResult<Used> {
        let limits: SmallVec<[usize; FEW]> = questions.iter().map(|asked| asked.limit).collect();
        self.layout().used(chosen, &limits, cost, actual)
    }

    /// That a decision can be put right by what was used.
    fn can_be_put_right(
        &self,
        questions: &[Question],
        decision: &PyGateDecision,
        used: &Used,
    ) -> PyResult<()> {
        let is_mine = |limit: usize, told: &Decision| self.is_mine(limit, &told.receipt);
        let asked = |limit: usize| questions.iter().find(|asked| asked.limit == limit);
        let tag = |limit: usize| Some(asked(limit)?.key.tag());
        let used = questions
            .iter()
            .zip(used)
            .filter(|(_, used)| used.is_some());
        let limits = used.map(|(asked, _)| asked.limit);
        decision.can_be_put_right(self.layout(), limits, is_mine, tag)
    }

    /// Put right what was spent: less comes back, more is spent as well, whatever is left.
    fn settle(
        &self,
        py: Python<'_>,
        questions: &[Question],
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
                self.give_units_back(py, decision, &back, question.cost - used)?;
            } else if used > question.cost {
                let ask = Ask {
                    key: question.key,
                    cost: used - question.cost,
                    quota: question.quota.as_deref(),
                };
                self.spend_anyway(py, question.limit, ask)?;
            }
        }
        Ok(())
    }

    /// Give the permits of a decision back, or all that it spent.
    fn end(
        &self,
        py: Python<'_>,
        questions: &[Question],
        decision: &PyGateDecision,
        all: bool,
    ) -> PyResult<()> {
        for question in questions {
            if let Some(back) = back_of(question, decision)
                && (all || self.layout().parts[question.limit].are_permits())
            {
                self.give_units_back(py, decision, &back, u32::MAX)?;
            }
        }
        Ok(())
    }
}

fn back_of(question: &Question, decision: &PyGateDecision) -> Option<Back> {
    Some(Back {
        told: decision.spent_by(question.limit)?,
        limit: question.limit,
        key: question.key,
    })
}

/// The decision that is given as a receipt.
pub(in crate::python) fn receipt<'a, 'py>(
    decision: &'a Bound<'py, PyAny>,
) -> PyResult<&'a Bound<'py, PyGateDecision>> {
    let expected = "the GateDecision by which this gate admitted these keys";
    let cast = decision.cast::<PyGateDecision>();
    cast.map_err(|_| wrong_type("decision", expected, decision))
}
