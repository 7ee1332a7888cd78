//! What is given back of a gate's decision, and what is spent beyond it: as requests.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::limits::{Asked, Held, Limits};
use crate::decision::Source;
use crate::python::gate::PyGateDecision;
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

    /// End a reservation: what was used of some units, or `None`, all comes back; and the permits.
    pub(super) fn end(
        &self,
        questions: &[Asked],
        decision: &Bound<'_, PyGateDecision>,
        actual: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Vec<Request>> {
        let (py, decision) = (decision.py(), decision.get());
        let used = actual.map(|actual| self.used(questions, actual));
        let used = used.transpose()?;
        let (mut requests, mut more) = (Vec::new(), Vec::new());
        for question in questions {
            let (limit, part) = (question.limit, &self.layout.parts[question.limit]);
            let Some(place) = decision.spent_by(limit) else {
                continue;
            };
            let units = match &used {
                _ if part.are_permits() => u32::MAX,
                None => u32::MAX,
                Some(used) => match used[part.unit] {
                    Some(used) if used > question.cost => {
                        more.push(Asked {
                            limit,
                            key: question.key.clone(),
                            cost: used - question.cost,
                            quota: question.quota.clone(),
                        });
                        0
                    }
                    Some(used) => question.cost - used,
                    None => 0,
                },
            };
            requests.extend(self.given_back(py, decision, place, limit, &question.key, units)?);
        }
        if !more.is_empty()
            && let Ok(call) = self.call(Verb::Anyway, &more)?
        {
            requests.push(call);
        }
        Ok(requests)
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

    /// The permits of a decision, to be given back.
    pub(super) fn released(
        &self,
        questions: &[Asked],
        decision: &Bound<'_, PyGateDecision>,
    ) -> PyResult<Vec<Request>> {
        self.end(questions, decision, Some(&PyDict::new(decision.py())))
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
