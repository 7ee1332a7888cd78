//! Many keys in one call.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyList, PyString};

use crate::python::arguments::{self, Cost, wrong_type};
use crate::python::limits_off::{admit_untouched, limits_are_off};
use crate::quota::Quota;
use crate::store::{Ask, Fingerprint, Patience, Stop, Store};

/// A batch of this many keys or more lets other threads run.
const LARGE_BATCH: usize = 100_000;

/// Whether each key may spend `cost`, in order.
pub(in crate::python) fn is_allowed_many<'py>(
    py: Python<'py>,
    store: &dyn Store,
    keys: &Bound<'py, PyAny>,
    cost: Cost,
    quota: Option<&Quota>,
) -> PyResult<Bound<'py, PyList>> {
    // Every key is looked at before the first one is spent: nothing is half applied.
    let keys = fingerprints(store, keys)?;
    let mut answers = vec![None; keys.len()];
    if limits_are_off() {
        if let Some(&key) = keys.first() {
            let cost = cost.0;
            admit_untouched(store, Ask { key, cost, quota })?;
        }
        answers.fill(Some(true));
    } else {
        let tried = if keys.len() < LARGE_BATCH {
            store.admit_many(&keys, cost.0, quota, &mut answers, Patience::Try)
        } else {
            Err(Stop::Locked)
        };
        // Those that have an answer keep it.
        match tried {
            Err(Stop::Locked) => {
                py.detach(|| store.admit_many(&keys, cost.0, quota, &mut answers, Patience::Wait))
            }
            done => done,
        }?;
    }
    PyList::new(
        py,
        answers
            .into_iter()
            .map(|allowed| PyBool::new(py, allowed == Some(true))),
    )
}

fn fingerprints(store: &dyn Store, keys: &Bound<'_, PyAny>) -> PyResult<Vec<Fingerprint>> {
    if keys.is_instance_of::<PyString>() {
        return Err(wrong_type("keys", "an iterable of str, not one str", keys));
    }
    // Not collected from results, which do not tell how many they are.
    if let Ok(list) = keys.cast::<PyList>() {
        let mut found = Vec::with_capacity(list.len());
        for key in list {
            found.push(arguments::key(store, &key)?);
        }
        return Ok(found);
    }
    let keys = keys
        .try_iter()
        .map_err(|_| wrong_type("keys", "an iterable of str", keys))?;
    keys.map(|key| arguments::key(store, &key?)).collect()
}
