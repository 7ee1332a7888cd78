//! A call of a gate: what each of its limits is asked.

use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use smallvec::SmallVec;

use super::FEW;
use super::answers::Answer;
use super::cost_error::cost_error;
use super::keys::Keys;
use super::layout::Layout;
use super::part::Part;
use crate::gate::MOST_LIMITS;
use crate::quota::Quota;

/// What a limit is asked.
pub(in crate::python) struct Question<K> {
    /// Which one, by its place in the gate.
    pub(in crate::python) limit: usize,
    pub(in crate::python) key: K,
    pub(in crate::python) cost: u32,
    /// By which quota, if not by its own.
    pub(in crate::python) quota: Option<Arc<Quota>>,
}

/// What the limits are asked that take part in a call.
pub(in crate::python) type Questions<K> = SmallVec<[Question<K>; FEW]>;

impl Layout {
    /// What the limits are asked that take part in a call; `key_of` is how a store knows a key. By other
    /// quotas than the limits', if there are any: each limit's by its place.
    pub(in crate::python) fn questions_by<K: Clone>(
        &self,
        quotas: Option<&[Answer]>,
        keys: &Bound<'_, PyAny>,
        cost: Option<&Bound<'_, PyAny>>,
        key_of: impl Fn(&Bound<'_, PyString>) -> PyResult<K>,
    ) -> PyResult<Questions<K>> {
        let answer = |limit: usize| match quotas {
            Some(quotas) => quotas.get(limit).unwrap_or(&Answer::Absent),
            None => &Answer::Declared,
        };
        let takes_part = |limit: usize| !matches!(answer(limit), Answer::Absent);
        let (py, keys) = (keys.py(), self.keys(keys, true)?);
        let counts = |unit| {
            let mut parts = self.parts.iter().enumerate();
            parts.any(|(limit, part)| part.unit == unit && takes_part(limit))
        };
        let costs = self.costs(cost, counts)?;
        let known = known(&keys, key_of)?;
        let mut questions = Questions::new();
        for (limit, part) in self.parts.iter().enumerate() {
            if let Some(key) = &known[part.by]
                && costs[part.unit] > 0
                && takes_part(limit)
            {
                let quota = match answer(limit) {
                    Answer::By(quota) => Some(Arc::clone(quota)),
                    _ => None,
                };
                questions.push(Question {
                    limit,
                    key: key.clone(),
                    cost: costs[part.unit],
                    quota,
                });
            }
        }
        if quotas.is_none() && !self.plans.is_empty() {
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

    /// The keys of the limits that are concerned by some of the keys, each with its limit.
    pub(in crate::python) fn keys_of_limits<K: Clone>(
        &self,
        keys: &Bound<'_, PyAny>,
        key_of: impl Fn(&Bound<'_, PyString>) -> PyResult<K>,
    ) -> PyResult<Vec<Option<K>>> {
        let known = known(&self.keys(keys, false)?, key_of)?;
        Ok(self
            .parts
            .iter()
            .map(|part| known[part.by].clone())
            .collect())
    }

    /// That a verb would keep the permit.
    pub(in crate::python) fn without_permits(&self, verb: &str) -> PyResult<()> {
        match self.permits() {
            Some(part) => Err(PyTypeError::new_err(format!(
                "{verb} would keep the permit of the limit '{}': use `async with gate.reserve(keys):`, \
                 or `with` in threads",
                part.name
            ))),
            None => Ok(()),
        }
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
