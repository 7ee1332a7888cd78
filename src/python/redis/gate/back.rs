//! What is given back of a gate's decision, and what is spent beyond it: as requests.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::limits::{Asked, Held, Limits};
use crate::decision::Source;
use crate::python::gate::{Choice, PyGateDecision, Used};
use crate::python::limits_off::limits_are_off;
use crate::python::patiently;
use crate::python::redis::renewing::THREADS;
use crate::store::redis::{Holders, Request, Verb};

impl Limits {
    /// Give all back that a decision spent and has not come back.
    pub(super) fn refund(
        &self,
        keys: &Bound<'_, PyAny>,
        decision: &PyGateDecision,
    ) -> PyResult<Vec<Request>> {
        let keys_given = self.keys_of_limits(keys)?;
        if limits_are_off() {
            return Ok(Vec::new());
        }
        let limiter = |limit: usize| &self.gate.limits()[limit].limiter;
        let tag = |limit: usize| Some(limiter(limit).tag(keys_given[limit].as_deref()?));
        let is_mine =
            |limit: usize, told: &_| tag(limit).is_none_or(|tag| limiter(limit).is_mine(told, tag));
        let backs = decision.redeemable(&self.layout, is_mine, tag)?;
        let mut requests = Vec::new();
        for (place, limit) in backs {
            if let Some(key) = &keys_given[limit] {
                requests.extend(self.given_back(
                    keys.py(),
                    decision,
                    place,
                    limit,
                    key,
                    u32::MAX,
                )?);
            }
        }
        Ok(requests)
    }

    /// Put right what was used at the limits that were chosen.
    pub(super) fn settle(
        &self,
        chosen: &Choice,
        keys: &Bound<'_, PyAny>,
        cost: &Bound<'_, PyAny>,
        decision: &PyGateDecision,
        used: &Bound<'_, PyTuple>,
    ) -> PyResult<Vec<Request>> {
        let (py, chosen) = (keys.py(), Some(chosen));
        let questions = self.questions(chosen, keys, Some(cost))?;
        let used = self.used(chosen, &questions, cost, used)?;
        if limits_are_off() {
            return Ok(Vec::new());
        }
        self.can_be_put_right(&questions, decision, &used)?;
        self.put_right(py, &questions, decision, &used)
    }

    fn can_be_put_right(
        &self,
        questions: &[Asked],
        decision: &PyGateDecision,
        used: &Used,
    ) -> PyResult<()> {
        let limiter = |limit: usize| &self.gate.limits()[limit].limiter;
        let asked = |limit: usize| questions.iter().find(|asked| asked.limit == limit);
        let tag = |limit: usize| Some(limiter(limit).tag(&asked(limit)?.key));
        let is_mine =
            |limit: usize, told: &_| tag(limit).is_none_or(|tag| limiter(limit).is_mine(told, tag));
        let used = questions
            .iter()
            .zip(used)
            .filter(|(_, used)| used.is_some());
        let limits = used.map(|(asked, _)| asked.limit);
        decision.can_be_put_right(&self.layout, limits, is_mine, tag)
    }

    /// End a reservation: what was used of it, or `None`, all comes back; and the permits.
    pub(super) fn end(
        &self,
        questions: &[Asked],
        decision: &Bound<'_, PyGateDecision>,
        used: Option<&Used>,
    ) -> PyResult<Vec<Request>> {
        let (py, decision) = (decision.py(), decision.get());
        let mut requests = Vec::new();
        if let Some(used) = used {
            requests = self.put_right(py, questions, decision, used)?;
        }
        for question in questions {
            let limit = question.limit;
            if (used.is_none() || self.layout.parts[limit].are_permits())
                && let Some(place) = decision.spent_by(limit)
            {
                let key = &question.key;
                requests.extend(self.given_back(py, decision, place, limit, key, u32::MAX)?);
            }
        }
        Ok(requests)
    }

    /// Less than was spent comes back, and more is spent as well, whatever is left.
    fn put_right(
        &self,
        py: Python<'_>,
        questions: &[Asked],
        decision: &PyGateDecision,
        used: &Used,
    ) -> PyResult<Vec<Request>> {
        let (mut requests, mut more) = (Vec::new(), Vec::new());
        for (question, used) in questions.iter().zip(used) {
            let (limit, key) = (question.limit, &question.key);
            let (Some(used), Some(place)) = (*used, decision.spent_by(limit)) else {
                continue;
            };
            if !decision.put_right(place) {
                continue;
            }
            if used > question.cost {
                more.push(Asked {
                    limit,
                    key: key.clone(),
                    cost: used - question.cost,
                    quota: question.quota.clone(),
                });
            } else {
                let units = question.cost - used;
                requests.extend(self.given_back(py, decision, place, limit, key, units)?);
            }
        }
        if !more.is_empty()
            && let Ok(call) = self.call(Verb::Anyway, &more)?
        {
            requests.push(call);
        }
        Ok(requests)
    }

    /// What is to be put right of what was asked: see [`Layout::used`](crate::python::gate::Layout::used).
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

    /// The permits of a decision, to be given back.
    pub(super) fn released(
        &self,
        questions: &[Asked],
        decision: &Bound<'_, PyGateDecision>,
    ) -> PyResult<Vec<Request>> {
        self.end(questions, decision, Some(&vec![None; questions.len()]))
    }

    /// Give units back that one limit spent, as many as are left: what is to be sent for that.
    fn given_back(
        &self,
        py: Python<'_>,
        decision: &PyGateDecision,
        place: usize,
        limit: usize,
        key: &[u8],
        units: u32,
    ) -> PyResult<Option<Request>> {
        let units = decision.take_back(place, units);
        if units == 0 {
            return Ok(None);
        }
        let (told, limiter) = (decision.part(place), &self.gate.limits()[limit].limiter);
        let receipt = &told.receipt;
        if self.layout.parts[limit].are_permits() {
            let numbers = receipt.number..receipt.number + u64::from(receipt.cost);
            return Ok(self.given_up(Held {
                limit,
                key: key.to_vec(),
                numbers: numbers.collect(),
            }));
        }
        if told.source == Source::Redis {
            return Ok(limiter.redemption(key, receipt, units));
        }
        patiently(py, |patience| {
            limiter.redeem_here(key, receipt, units, patience)
        })?;
        Ok(None)
    }

    /// Permits are not held any more: what the server is to be told of them.
    pub(super) fn given_up(&self, held: Held) -> Option<Request> {
        let Held {
            limit,
            key,
            numbers,
        } = held;
        let limiter = &self.gate.limits()[limit].limiter;
        let numbers = numbers.into_iter();
        let holders = Holders {
            numbers: numbers
                .filter(|&number| !limiter.leave(&key, number))
                .collect(),
            home: THREADS,
            quiet: true,
        };
        let permits = holders.numbers.len() as u32;
        let release = || limiter.call(limiter.quota(), Verb::Refund, key, permits, holders);
        (permits > 0).then(release)?.ok()
    }
}
