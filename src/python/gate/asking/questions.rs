//! A call of a gate: what each of its limits is asked.

use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use smallvec::SmallVec;

use super::answers::Answer;
use super::choice::Choice;
use super::cost_error::cost_error;
use super::keys::Keys;
use crate::gate::{MOST_LIMITS, Question};
use crate::python::gate::FEW;
use crate::python::gate::layout::Layout;
use crate::python::gate::part::Part;

/// What the limits are asked that take part in a call.
pub(in crate::python) type Questions<K> = SmallVec<[Question<K>; FEW]>;

impl Layout {
    /// What the limits are asked that take part in a call; `key_of` is how a store knows a key. All of
    /// them by the quotas that they declare or their functions name, or those that are chosen.
    pub(in crate::python) fn questions_by<K: Clone>(
        &self,
        chosen: Option<&Choice>,
        keys: &Bound<'_, PyAny>,
        cost: Option<&Bound<'_, PyAny>>,
        key_of: impl Fn(&Bound<'_, PyString>) -> PyResult<K>,
    ) -> PyResult<Questions<K>> {
        let choice = self.concerned(chosen)?;
        let (py, keys) = (keys.py(), self.keys(choice, keys, true)?);
        let costs = self.costs(choice, chosen.is_some(), cost)?;
        let known = known(&keys, key_of)?;
        let mut questions = Questions::new();
        for (place, member) in choice.members.iter().enumerate() {
            let cost = costs.of(place, member);
            if let Some(key) = &known[member.by]
                && cost > 0
            {
                questions.push(Question {
                    limit: member.limit,
                    key: key.clone(),
                    cost,
                    quota: member.quota.clone(),
                });
            }
        }
        if chosen.is_none() && !self.plans.is_empty() {
            self.ask_plans(&keys, &mut questions)?;
        }
        for question in &questions {
            self.parts[question.limit].fits(py, question)?;
        }
        if questions.len() > MOST_LIMITS {
            return Err(PyValueError::new_err(format!(
                "at most {MOST_LIMITS} limits can take part in one decision, got {}: leave some out, by \
                 None for their keys",
                questions.len()
            )));
        }
        Ok(questions)
    }

    /// The limits that are chosen, or all.
    pub(in crate::python::gate) fn concerned<'a>(
        &'a self,
        chosen: Option<&'a Choice>,
    ) -> PyResult<&'a Choice> {
        match chosen {
            None => Ok(&self.all),
            Some(chosen) if chosen.is_of(&self.parts) => Ok(chosen),
            Some(_) => Err(PyValueError::new_err(
                "quotas must be made for the limits that the gate has now, got those of other ones: \
                 make them anew by _quotas",
            )),
        }
    }

    /// The keys of the limits that are concerned by some of the keys, each with its limit.
    pub(in crate::python) fn keys_of_limits<K: Clone>(
        &self,
        keys: &Bound<'_, PyAny>,
        key_of: impl Fn(&Bound<'_, PyString>) -> PyResult<K>,
    ) -> PyResult<Vec<Option<K>>> {
        let known = known(&self.keys(&self.all, keys, false)?, key_of)?;
        Ok(self
            .parts
            .iter()
            .map(|part| known[part.by].clone())
            .collect())
    }

    /// That a verb would keep a permit, of the limits that are chosen or of all.
    pub(in crate::python) fn without_permits(
        &self,
        chosen: Option<&Choice>,
        verb: &str,
    ) -> PyResult<()> {
        match self.concerned(chosen)?.permits {
            Some(limit) => Err(PyTypeError::new_err(format!(
                "{verb} would keep the permit of the limit '{}': use `async with gate.reserve(keys):`, \
                 or `with` in threads",
                self.names[limit]
            ))),
            None => Ok(()),
        }
    }

    /// Whether permits are among the limits that are asked.
    pub(in crate::python) fn has_permits(&self, mut limits: impl Iterator<Item = usize>) -> bool {
        self.all.permits.is_some() && limits.any(|limit| self.parts[limit].are_permits())
    }

    /// Ask what quotas the keys have.
    fn ask_plans<K>(&self, keys: &Keys<'_>, questions: &mut Questions<K>) -> PyResult<()> {
        for plan in &self.plans {
            let takes_part = |limit: usize| questions.iter().any(|asked| asked.limit == limit);
            let Some(&first) = plan.parts().iter().find(|&&limit| takes_part(limit)) else {
                continue;
            };
            let Some(key) = &keys[self.parts[first].by] else {
                continue;
            };
            let Some(answers) = plan.ask(&self.parts, key)? else {
                continue;
            };
            let answer = |limit| plan.parts().iter().position(|&part| part == limit);
            questions.retain_mut(
                |question| match answer(question.limit).map(|at| &answers[at]) {
                    Some(Answer::Absent) => false,
                    Some(Answer::By(quota)) => {
                        question.quota = Some(Arc::clone(quota));
                        true
                    }
                    Some(Answer::Declared) | None => true,
                },
            );
        }
        Ok(())
    }
}

fn known<K>(
    keys: &Keys<'_>,
    key_of: impl Fn(&Bound<'_, PyString>) -> PyResult<K>,
) -> PyResult<SmallVec<[Option<K>; FEW]>> {
    let keys = keys.iter();
    keys.map(|key| key.as_ref().map(&key_of).transpose())
        .collect()
}

impl Part {
    /// Whether a call may ever be admitted. One who only watches may be asked anything.
    fn fits<K>(&self, py: Python<'_>, question: &Question<K>) -> PyResult<()> {
        let quota = question.quota.as_deref().unwrap_or(&self.quota);
        let limit = quota.limit().unwrap_or(u32::MAX);
        if self.is_shadow || question.cost <= limit {
            return Ok(());
        }
        let unit = if self.are_permits() {
            "permits"
        } else {
            &quota.unit
        };
        let (name, cost) = (&self.name, question.cost);
        let message = format!(
            "cost must be at most {limit} {unit} for the limit '{name}', {quota}, got {cost}: it could never \
             be admitted"
        );
        Err(cost_error(py, message, name, limit))
    }
}
