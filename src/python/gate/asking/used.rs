//! What was really used of what a call has spent: by unit, or one for each limit that its caller chose.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::choice::Choice;
use crate::python::arguments::{int, shown};
use crate::python::gate::layout::Layout;

/// What was used at each limit that was asked, in their order; `None`: what was spent there stays.
pub(in crate::python) type Used = Vec<Option<u32>>;

const MOST: &str = "4,294,967,295";

impl Layout {
    /// What is to be put right at limits that were asked at such a cost: all is checked before anything is.
    pub(in crate::python) fn used(
        &self,
        chosen: Option<&Choice>,
        limits: &[usize],
        cost: &Bound<'_, PyAny>,
        actual: &Bound<'_, PyAny>,
    ) -> PyResult<Used> {
        if let Ok(by_unit) = actual.cast::<PyDict>() {
            return self.used_by_unit(limits, by_unit);
        }
        let by_limit = actual.cast::<PyTuple>()?;
        self.used_by_limit(self.concerned(chosen)?, limits, cost, by_limit)
    }

    fn used_by_limit(
        &self,
        choice: &Choice,
        limits: &[usize],
        cost: &Bound<'_, PyAny>,
        actual: &Bound<'_, PyTuple>,
    ) -> PyResult<Used> {
        let mut used = vec![None; limits.len()];
        let each = self.one_each(choice, "used", actual)?;
        for (member, (name, units)) in choice.members.iter().zip(each) {
            if units.is_none() {
                continue;
            }
            let units = int(&units, &name, 0, u32::MAX, MOST)?;
            let part = &self.parts[member.limit];
            if part.are_permits() {
                return Err(PyValueError::new_err(format!(
                    "{name} must be None for the permits of '{}', which are held until the block ends, \
                     got {units}",
                    part.name
                )));
            }
            if let Some(place) = limits.iter().position(|&limit| limit == member.limit) {
                used[place] = Some(units);
            }
        }
        self.no_more_than_nothing(choice, cost, actual)?;
        Ok(used)
    }

    /// A limit that was left out by its cost has spent nothing that more could be added to.
    fn no_more_than_nothing(
        &self,
        choice: &Choice,
        cost: &Bound<'_, PyAny>,
        actual: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        let Ok(cost) = cost.cast::<PyTuple>() else {
            return Ok(());
        };
        for ((member, cost), used) in choice.members.iter().zip(cost).zip(actual) {
            if cost.eq(0)? && !used.is_none() && used.gt(0)? {
                return Err(PyValueError::new_err(format!(
                    "used must be None or 0 for the limit '{}', which took no part as its cost was 0, \
                     got {}",
                    self.names[member.limit],
                    shown(&used)
                )));
            }
        }
        Ok(())
    }

    fn used_by_unit(&self, limits: &[usize], actual: &Bound<'_, PyDict>) -> PyResult<Used> {
        let mut used = vec![None; limits.len()];
        for (name, units) in actual {
            let text: String = name.extract().unwrap_or_default();
            let unit = self.units.iter().position(|unit| unit.name == text);
            let unit = unit.filter(|&unit| {
                !self.units[unit].are_permits()
                    && self.counted(limits).any(|counted| counted == unit)
            });
            let Some(unit) = unit else {
                return Err(self.not_reserved(limits, &name));
            };
            let units = int(&units, &text, 0, u32::MAX, MOST)?;
            for (counted, used) in self.counted(limits).zip(&mut used) {
                if counted == unit {
                    *used = Some(units);
                }
            }
        }
        Ok(used)
    }

    /// The units of limits.
    fn counted<'a>(&'a self, limits: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
        limits.iter().map(|&limit| self.parts[limit].unit)
    }

    fn not_reserved(&self, limits: &[usize], name: &Bound<'_, PyAny>) -> PyErr {
        let units = self.units.iter().enumerate();
        let reserved = |unit: usize| self.counted(limits).any(|counted| counted == unit);
        let units: Vec<_> = units
            .filter(|(place, unit)| reserved(*place) && !unit.are_permits())
            .map(|(_, unit)| format!("{}=…", unit.name))
            .collect();
        let right = match &units[..] {
            [] => "nothing: only permits were, which are held until the block ends".into(),
            _ => units.join(", "),
        };
        PyValueError::new_err(format!(
            "settle must be of units that were reserved, {right}, got {}",
            shown(name)
        ))
    }
}
