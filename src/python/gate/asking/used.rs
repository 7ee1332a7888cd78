//! What was really used of what a call has spent: by unit, or one for each limit that its caller chose.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyTuple};

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
            return self.used_by_unit((self.concerned(chosen)?, cost), limits, by_unit);
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

    /// A unit that was reserved, though no limit that counts it took part, has nothing to put right: whoever
    /// settles need not know of whom it is asked.
    fn used_by_unit(
        &self,
        asked: (&Choice, &Bound<'_, PyAny>),
        limits: &[usize],
        actual: &Bound<'_, PyDict>,
    ) -> PyResult<Used> {
        let mut used = vec![None; limits.len()];
        let mut reserved = Vec::new();
        for unit in 0..self.units.len() {
            let is_counted = self.counted(limits).any(|counted| counted == unit);
            if !self.units[unit].are_permits() && (is_counted || self.was_reserved(asked, unit)?) {
                reserved.push(unit);
            }
        }
        for (name, units) in actual {
            let text: String = name.extract().unwrap_or_default();
            let mut known = reserved.iter().copied();
            let Some(unit) = known.find(|&unit| self.units[unit].name == text) else {
                return Err(self.not_reserved(&reserved, &name));
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

    /// Whether a call at such a cost was to take some of a unit.
    fn was_reserved(
        &self,
        (choice, cost): (&Choice, &Bound<'_, PyAny>),
        unit: usize,
    ) -> PyResult<bool> {
        let chosen = choice.units.iter().position(|&chosen| chosen == unit);
        if let Ok(costs) = cost.cast::<PyTuple>() {
            let each = choice.members.iter().zip(costs);
            let mut of_unit = each.filter(|(member, _)| Some(member.unit) == chosen);
            return Ok(of_unit.any(|(_, cost)| cost.gt(0).unwrap_or(false)));
        }
        let name = &self.units[unit].name;
        if let Ok(named) = cost.cast::<PyMapping>()
            && named.contains(name)?
        {
            return named.get_item(name)?.gt(0);
        }
        Ok(chosen.is_some())
    }

    /// The units of limits.
    fn counted<'a>(&'a self, limits: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
        limits.iter().map(|&limit| self.parts[limit].unit)
    }

    fn not_reserved(&self, reserved: &[usize], name: &Bound<'_, PyAny>) -> PyErr {
        let units = reserved.iter().map(|&unit| &self.units[unit].name);
        let units: Vec<_> = units.map(|unit| format!("{unit}=…")).collect();
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
