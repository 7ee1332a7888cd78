//! The quotas that a function names for a key: which of a limit's parts each of them is for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

use crate::python::arguments::{shown, wrong_type};
use crate::python::gate::part::Part;
use crate::python::quota::PyQuota;
use crate::quota::{Quota, Terms};

/// Plans are few. Should somebody have more, they are read anew now and then.
const MOST_KNOWN: usize = 1_000;

/// By which quota a part decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::python) enum Answer {
    /// By the one that it was made with.
    Declared,
    /// It does not apply.
    Absent,
    /// By this one.
    By(Arc<Quota>),
}

/// A function that names the quotas of keys, for the parts of one limit.
pub(in crate::python::gate) struct Plan {
    function: Py<PyAny>,
    /// By their places in the gate.
    parts: Vec<usize>,
    /// What its answers mean, by their texts.
    known: Mutex<HashMap<String, Arc<[Answer]>>>,
}

impl Plan {
    pub(in crate::python::gate) fn new(function: Py<PyAny>) -> Self {
        Self {
            function,
            parts: Vec::new(),
            known: Mutex::default(),
        }
    }

    pub(in crate::python::gate) fn add(&mut self, part: usize) {
        self.parts.push(part);
    }

    pub(in crate::python::gate) fn visit(
        &self,
        visit: &PyVisit<'_>,
    ) -> Result<(), PyTraverseError> {
        visit.call(&self.function)
    }

    /// Its parts, by their places in the gate.
    pub(in crate::python::gate) fn parts(&self) -> &[usize] {
        &self.parts
    }

    /// What it names for a key, part by part; `None`: as declared.
    pub(in crate::python::gate) fn ask(
        &self,
        parts: &[Part],
        key: &Bound<'_, PyString>,
    ) -> PyResult<Option<Arc<[Answer]>>> {
        let answer = self.function.bind(key.py()).call1((key,))?;
        if answer.is_none() {
            return Ok(None);
        }
        if let Ok(quota) = answer.cast::<PyQuota>() {
            return self.matched(parts, vec![quota.get().0.clone()]).map(Some);
        }
        let Ok(text) = answer.cast::<PyString>() else {
            return Err(no_quota(&answer));
        };
        let text = text.to_string_lossy();
        if let Some(known) = self.known().get(&*text) {
            return Ok(Some(Arc::clone(known)));
        }
        let answers = self.matched(parts, Quota::parse_all(&text)?)?;
        let mut known = self.known();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(text.into_owned(), Arc::clone(&answers));
        Ok(Some(answers))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<[Answer]>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which quota is for which part.
    fn matched(&self, parts: &[Part], quotas: Vec<Quota>) -> PyResult<Arc<[Answer]>> {
        let mut answers = vec![Answer::Absent; self.parts.len()];
        if matches!(&quotas[..], [quota] if quota.terms == Terms::Unlimited) {
            return Ok(answers.into());
        }
        for quota in quotas {
            let is_for = |&place: &usize| is_for(&parts[place].quota, &quota);
            let Some(place) = self.parts.iter().position(is_for) else {
                return Err(self.no_part(parts, &quota));
            };
            if answers[place] != Answer::Absent {
                return Err(PyValueError::new_err(format!(
                    "quota_for must return one quota for the limit {:?}, got two, '{quota}' is the second",
                    parts[self.parts[place]].name
                )));
            }
            let part = &parts[self.parts[place]];
            part.algorithm.under(&quota)?;
            answers[place] = if quota == part.quota {
                Answer::Declared
            } else {
                Answer::By(Arc::new(quota))
            };
        }
        Ok(answers.into())
    }

    fn no_part(&self, parts: &[Part], quota: &Quota) -> PyErr {
        let own: Vec<_> = self.parts.iter().map(|&place| &parts[place]).collect();
        let quotas: Vec<_> = own.iter().map(|part| format!("'{}'", part.quota)).collect();
        PyValueError::new_err(format!(
            "quota_for of the limit {:?} must return quotas of its windows and units, {}, got '{quota}'",
            own[0].name,
            quotas.join(" and ")
        ))
    }
}

/// Whether a quota is another amount of a part's: of the same window and unit.
fn is_for(part: &Quota, quota: &Quota) -> bool {
    match (&part.terms, &quota.terms) {
        (Terms::Concurrent(_), Terms::Concurrent(_)) => true,
        (Terms::Calendar { calendar, .. }, Terms::Calendar { calendar: of, .. }) => {
            calendar == of && part.unit == quota.unit
        }
        (
            Terms::Window { .. } | Terms::Bucket { .. },
            Terms::Window { .. } | Terms::Bucket { .. },
        ) => part.window() == quota.window() && part.unit == quota.unit,
        _ => false,
    }
}

fn no_quota(answer: &Bound<'_, PyAny>) -> PyErr {
    if answer.hasattr("__await__").unwrap_or(false) {
        let _ = answer.call_method0("close"); // or Python warns that it was never awaited
        return PyTypeError::new_err(format!(
            "quota_for must be a plain function that returns a quota, such as '50/second', got {}: \
             look the plan up beforehand, and let it read what was found",
            shown(answer)
        ));
    }
    let right = "a Quota, its text, such as '50/second; 1000000/day', or None for the declared one";
    wrong_type("what quota_for returns", right, answer)
}
