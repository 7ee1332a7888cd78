//! The keys of a call, by the names of what limits count by.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};

use smallvec::{SmallVec, smallvec};

use super::choice::Choice;
use crate::python::arguments::{shown, wrong_type};
use crate::python::gate::FEW;
use crate::python::gate::layout::{By, Layout};

/// The keys of a call, by the places of what its limits count by. `None`: those limits take no part.
pub(in crate::python::gate) type Keys<'py> = SmallVec<[Option<Bound<'py, PyString>>; FEW]>;

impl Layout {
    /// The keys that are given of what some limits count by. If not all have to be, those that are not
    /// are left out.
    pub(in crate::python::gate) fn keys<'py>(
        &self,
        choice: &Choice,
        given: &Bound<'py, PyAny>,
        all: bool,
    ) -> PyResult<Keys<'py>> {
        if let Ok(key) = given.cast::<PyString>() {
            return match &choice.bys[..] {
                [_] => Ok(smallvec![Some(key.clone())]),
                _ => Err(self.no_keys(choice, given)),
            };
        }
        let keys = self.dict(choice, given)?;
        let (mut found, mut known) = (Keys::new(), 0);
        for chosen in &choice.bys {
            let by = &self.bys[chosen.by];
            let key = keys.get_item(by.name.bind(given.py()))?;
            known += usize::from(key.is_some());
            found.push(match key {
                Some(key) if key.is_none() => None,
                Some(key) => Some(text(by, key)?),
                None => {
                    if let Some(limit) = chosen.required_for.filter(|_| all) {
                        return Err(missing(by, &self.names[limit], &keys));
                    }
                    None
                }
            });
        }
        // The others may be of limits that take no part.
        if known < keys.len()
            && let Some(stranger) = self.stranger(&keys)
        {
            return Err(self.unknown(&stranger));
        }
        Ok(found)
    }

    fn dict<'py>(
        &self,
        choice: &Choice,
        given: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        if let Ok(dict) = given.cast::<PyDict>() {
            return Ok(dict.clone());
        }
        let Ok(mapping) = given.cast::<PyMapping>() else {
            return Err(self.no_keys(choice, given));
        };
        let dict = PyDict::new(given.py());
        dict.update(mapping)?;
        Ok(dict)
    }

    /// A key of what no limit counts by.
    #[cold]
    fn stranger<'py>(&self, keys: &Bound<'py, PyDict>) -> Option<Bound<'py, PyAny>> {
        let is_known = |name: &Bound<'_, PyAny>| {
            let text = name
                .cast::<PyString>()
                .ok()
                .map(|text| text.to_string_lossy());
            text.is_some_and(|text| self.places_of_bys.contains_key(&*text))
        };
        keys.keys().iter().find(|name| !is_known(name))
    }

    fn no_keys(&self, choice: &Choice, given: &Bound<'_, PyAny>) -> PyErr {
        let bys = || choice.bys.iter().map(|chosen| &self.bys[chosen.by].text);
        let keys: Vec<_> = bys().map(|by| format!("'{by}': '...'")).collect();
        let right = format!("{{{}}}", keys.join(", "));
        let expected = match &choice.bys[..] {
            [_] => format!("a str, or a mapping such as {right}"),
            _ => format!("a mapping such as {right}"),
        };
        // A str may be a key that is nobody's business.
        if given.is_instance_of::<PyString>() {
            return PyTypeError::new_err(format!("keys must be {expected}, got one str"));
        }
        wrong_type("keys", &expected, given)
    }

    fn unknown(&self, stranger: &Bound<'_, PyAny>) -> PyErr {
        let names: Vec<_> = self.bys.iter().map(|by| format!("'{}'", by.text)).collect();
        PyValueError::new_err(format!(
            "keys must be of what the limits count by, {}, got {}",
            names.join(", "),
            shown(stranger)
        ))
    }
}

fn text<'py>(by: &By, key: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    key.cast_into().map_err(|error| {
        wrong_type(
            &format!("keys['{}']", by.text),
            "a str or None",
            &error.into_inner(),
        )
    })
}

/// The names of the keys: they themselves may be nobody's business.
fn names_of(keys: &Bound<'_, PyDict>) -> String {
    let names: Vec<_> = keys.keys().iter().map(|name| shown(&name)).collect();
    match &names[..] {
        [] => "none".into(),
        _ => names.join(", "),
    }
}

fn missing(by: &By, limit: &str, keys: &Bound<'_, PyDict>) -> PyErr {
    PyValueError::new_err(format!(
        "keys must have '{0}', by which the limit '{limit}' counts: add it, or '{0}': None to leave \
         its limits out, got {1}",
        by.text,
        names_of(keys)
    ))
}
