//! Calls that block their thread until they are decided.

use pyo3::prelude::*;

use super::PyRedisLimiter;
use crate::python::arguments::Cost;
use crate::python::decision::PyDecision;
use crate::python::redis::blocking;
use crate::python::redis::renewing::THREADS;
use crate::python::redis::values::decision;

impl PyRedisLimiter {
    pub(super) fn asked(
        &self,
        py: Python<'_>,
        verb: &str,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        number: Option<u64>,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyDecision> {
        loop {
            let call = match self.prepared(py, THREADS, verb, key, cost, number, quota)? {
                Err(decision) => return Ok(decision),
                Ok(call) => call,
            };
            let answers = blocking::answers(py, &self.route, vec![call]);
            if number.is_some() {
                self.renewals.begin(&self.limiter, &self.route)?;
            }
            if let Some(answer) = answers?.and_then(|answers| answers.into_iter().next()) {
                return decision(py, answer);
            }
        }
    }

    pub(super) fn all_asked(
        &self,
        py: Python<'_>,
        keys: &[Bound<'_, PyAny>],
        cost: Cost,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<PyDecision>> {
        loop {
            let (mut calls, mut decided) = (Vec::new(), Vec::new());
            for key in keys {
                decided.push(
                    match self.prepared(py, THREADS, "check", key, cost, None, quota)? {
                        Err(decision) => Some(decision),
                        Ok(call) => {
                            calls.push(call);
                            None
                        }
                    },
                );
            }
            let Some(answers) = blocking::answers(py, &self.route, calls)? else {
                continue;
            };
            let mut answers = answers.into_iter();
            let each = decided.into_iter().map(|here| match here {
                Some(decision) => Ok(Some(decision)),
                None => answers
                    .next()
                    .map(|answer| decision(py, answer))
                    .transpose(),
            });
            return each.filter_map(Result::transpose).collect();
        }
    }
}
