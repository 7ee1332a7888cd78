//! The keys and the costs of a call, by the names of what limits count by and of units.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyMapping, PyString};

use smallvec::{SmallVec, smallvec};

use super::FEW;
use super::layout::{By, Layout, Unit};
use crate::python::arguments::{int, shown, wrong_type};
use crate::quota::REQUESTS;

/// The keys of a call, by the places of what limits count by. `None`: those limits take no part.
pub(super) type Keys<'py> = SmallVec<[Option<Bound<'py, PyString>>; FEW]>;

/// What a call costs, by the places of the units: 0 of one that it leaves out.
pub(super) type Costs = SmallVec<[u32; FEW]>;

/// The same, as far as the call says it.
type Given = SmallVec<[Option<u32>; FEW]>;

impl Layout {
    /// The keys that are given. If not all have to be, those that are not are left out.
    pub(super) fn keys<'py>(&self, given: &Bound<'py, PyAny>, all: bool) -> PyResult<Keys<'py>> {
        if let Ok(key) = given.cast::<PyString>() {
            return match &self.bys[..] {
                [_] => Ok(smallvec![Some(key.clone())]),
                _ => Err(self.no_keys(given)),
            };
        }
        let keys = self.dict(given)?;
        let (mut found, mut known) = (Keys::new(), 0);
        for by in &self.bys {
            let key = keys.get_item(by.name.bind(given.py()))?;
            known += usize::from(key.is_some());
            found.push(match key {
                Some(key) if key.is_none() => None,
                Some(key) => Some(text(by, key)?),
                None => {
                    if let Some(name) = by.required_for.as_ref().filter(|_| all) {
                        return Err(missing(by, name, &keys));
                    }
                    None
                }
            });
        }
        if known < keys.len() {
            return Err(self.unknown(&keys));
        }
        Ok(found)
    }

    fn dict<'py>(&self, given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        if let Ok(dict) = given.cast::<PyDict>() {
            return Ok(dict.clone());
        }
        let Ok(mapping) = given.cast::<PyMapping>() else {
            return Err(self.no_keys(given));
        };
        let dict = PyDict::new(given.py());
        dict.update(mapping)?;
        Ok(dict)
    }

    /// What limits count by, as a message shows it.
    fn by_names(&self) -> String {
        let names: Vec<_> = self.bys.iter().map(|by| format!("'{}'", by.text)).collect();
        names.join(", ")
    }

    fn right(&self) -> String {
        let keys: Vec<_> = (self.bys.iter().map(|by| format!("'{}': '...'", by.text))).collect();
        format!("{{{}}}", keys.join(", "))
    }

    fn no_keys(&self, given: &Bound<'_, PyAny>) -> PyErr {
        let expected = match &self.bys[..] {
            [_] => format!("a str, or a mapping such as {}", self.right()),
            _ => format!("a mapping such as {}", self.right()),
        };
        // A str may be a key that is nobody's business.
        if given.is_instance_of::<PyString>() {
            return PyTypeError::new_err(format!("keys must be {expected}, got one str"));
        }
        wrong_type("keys", &expected, given)
    }

    fn unknown(&self, keys: &Bound<'_, PyDict>) -> PyErr {
        let stranger = keys.keys().iter().find(|name| {
            let is_known = |by: &By| name.eq(by.name.bind(name.py())).unwrap_or(false);
            !self.bys.iter().any(is_known)
        });
        PyValueError::new_err(format!(
            "keys must be of what the limits count by, {}, got {}",
            self.by_names(),
            stranger.map_or_else(|| "another".into(), |name| shown(&name))
        ))
    }

    /// What a call costs, by unit: 0 of one that it leaves out, and of one that does not count in it.
    pub(super) fn costs(
        &self,
        given: Option<&Bound<'_, PyAny>>,
        counts: impl Fn(usize) -> bool,
    ) -> PyResult<Costs> {
        let mut costs = match given {
            None => self.one_cost(1, &counts),
            Some(cost) if cost.is_instance_of::<PyInt>() => {
                self.one_cost(int(cost, "cost", 1, u32::MAX, "the limit")?, &counts)
            }
            Some(costs) => self.named_costs(costs)?,
        };
        for (unit, cost) in costs.iter_mut().enumerate() {
            if !counts(unit) {
                *cost = Some(0);
            }
        }
        let unnamed = self
            .units
            .iter()
            .zip(&costs)
            .find(|(_, cost)| cost.is_none());
        if let Some((unit, _)) = unnamed {
            return Err(PyValueError::new_err(format!(
                "cost must say how many {0} the call takes, as {{'{0}': 100}}, got {1}",
                unit.name,
                given.map_or_else(|| "1".into(), shown)
            )));
        }
        let costs: Costs = costs.into_iter().flatten().collect();
        if costs.iter().all(|cost| *cost == 0) && (0..costs.len()).any(counts) {
            return Err(PyValueError::new_err(format!(
                "cost must be at least 1 of some unit, got {}",
                given.map_or_else(|| "nothing".into(), shown)
            )));
        }
        Ok(costs)
    }

    /// One number: of the only unit beside permits, or of requests.
    fn one_cost(&self, cost: u32, counts: impl Fn(usize) -> bool) -> Given {
        let units = self.units.iter().enumerate();
        let counted = units.filter(|(place, unit)| !unit.are_permits() && counts(*place));
        let mut counted = counted.map(|(_, unit)| unit);
        let only = counted.next().filter(|_| counted.next().is_none());
        let meant = |unit: &Unit| match only {
            Some(only) => unit.name == only.name,
            None => unit.name == REQUESTS,
        };
        let cost_of = |unit: &Unit| {
            if meant(unit) {
                Some(cost)
            } else {
                unit.default
            }
        };
        self.units.iter().map(cost_of).collect()
    }

    fn named_costs(&self, given: &Bound<'_, PyAny>) -> PyResult<Given> {
        let Ok(named) = given.cast::<PyMapping>() else {
            return Err(self.no_costs(given));
        };
        let mut costs: Given = self.units.iter().map(|unit| unit.default).collect();
        for item in named.items()?.iter() {
            let pair: PyResult<(Bound<'_, PyAny>, Bound<'_, PyAny>)> = item.extract();
            let (name, cost) = pair.map_err(|_| self.no_costs(given))?;
            let text = name.extract::<String>().unwrap_or_default();
            let Some(place) = self.units.iter().position(|unit| unit.name == text) else {
                return Err(PyValueError::new_err(format!(
                    "cost must be of the units that the limits count, as {}, got {}",
                    self.right_costs(),
                    shown(&name)
                )));
            };
            let argument = format!("cost[{}]", shown(&name));
            costs[place] = Some(int(&cost, &argument, 0, u32::MAX, "the limit")?);
        }
        Ok(costs)
    }

    fn no_costs(&self, given: &Bound<'_, PyAny>) -> PyErr {
        let expected = format!("an int, or a mapping such as {}", self.right_costs());
        wrong_type("cost", &expected, given)
    }

    fn right_costs(&self) -> String {
        let units = self.units.iter();
        let units: Vec<_> = units.map(|unit| format!("'{}': 1", unit.name)).collect();
        format!("{{{}}}", units.join(", "))
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
