//! The costs of a call: by the names of units, or one for each limit that its caller chooses.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyMapping, PyTuple};
use smallvec::SmallVec;

use super::choice::{Choice, Member};
use crate::python::arguments::{int, shown, wrong_type};
use crate::python::gate::FEW;
use crate::python::gate::layout::{Layout, Unit};
use crate::quota::REQUESTS;

type Few<T> = SmallVec<[T; FEW]>;

/// What a call costs: 0 leaves limits out.
pub(in crate::python::gate) enum Costs {
    /// By the places of the units in the choice.
    ByUnit(Few<u32>),
    /// By the places of the limits in the choice.
    ByLimit(Few<u32>),
}

impl Costs {
    /// What it costs one of the limits.
    pub(in crate::python::gate) fn of(&self, place: usize, member: &Member) -> u32 {
        match self {
            Self::ByUnit(costs) => costs[member.unit],
            Self::ByLimit(costs) => costs[place],
        }
    }
}

impl Layout {
    /// What a call costs that some limits take part in. Only who has chosen them knows them one by one.
    pub(in crate::python::gate) fn costs(
        &self,
        choice: &Choice,
        is_chosen: bool,
        given: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Costs> {
        if let Some(costs) = given.filter(|_| is_chosen)
            && let Ok(costs) = costs.cast::<PyTuple>()
        {
            let each = self.one_each(choice, "cost", costs)?;
            let costs = each.map(|(name, cost)| int(&cost, &name, 0, u32::MAX, "the limit"));
            return Ok(Costs::ByLimit(costs.collect::<PyResult<_>>()?));
        }
        let costs = match given {
            None => self.one_cost(choice, 1),
            Some(cost) if cost.is_instance_of::<PyInt>() => {
                self.one_cost(choice, int(cost, "cost", 1, u32::MAX, "the limit")?)
            }
            Some(costs) => self.named_costs(choice, costs)?,
        };
        let unnamed = costs.iter().position(Option::is_none);
        if let Some(place) = unnamed {
            return Err(PyValueError::new_err(format!(
                "cost must say how many {0} the call takes, as {{'{0}': 100}}, got {1}",
                self.units[choice.units[place]].name,
                given.map_or_else(|| "1".into(), shown)
            )));
        }
        let costs: Few<u32> = costs.into_iter().flatten().collect();
        if costs.iter().all(|cost| *cost == 0) && !costs.is_empty() {
            return Err(PyValueError::new_err(format!(
                "cost must be at least 1 of some unit, got {}",
                given.map_or_else(|| "nothing".into(), shown)
            )));
        }
        Ok(Costs::ByUnit(costs))
    }

    /// What is given for each limit of a choice, and what it is called in a message.
    pub(in crate::python::gate) fn one_each<'py>(
        &self,
        choice: &Choice,
        argument: &str,
        given: &Bound<'py, PyTuple>,
    ) -> PyResult<impl Iterator<Item = (String, Bound<'py, PyAny>)>> {
        if given.len() != choice.members.len() {
            let members = choice.members.iter();
            let names: Vec<_> = members
                .map(|member| format!("'{}'", self.names[member.limit]))
                .collect();
            return Err(PyValueError::new_err(format!(
                "{argument} must be one for each of the {} limits that take part, {}, got {}",
                names.len(),
                names.join(", "),
                shown(given)
            )));
        }
        let named = move |(place, each)| (format!("{argument}[{place}]"), each);
        Ok(given.clone().into_iter().enumerate().map(named))
    }

    fn units_of<'a>(&'a self, choice: &'a Choice) -> impl Iterator<Item = &'a Unit> {
        choice.units.iter().map(|&unit| &self.units[unit])
    }

    /// One number: of the only unit beside permits, or of requests.
    fn one_cost(&self, choice: &Choice, cost: u32) -> Few<Option<u32>> {
        let mut counted = self.units_of(choice).filter(|unit| !unit.are_permits());
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
        self.units_of(choice).map(cost_of).collect()
    }

    fn named_costs(&self, choice: &Choice, given: &Bound<'_, PyAny>) -> PyResult<Few<Option<u32>>> {
        let Ok(named) = given.cast::<PyMapping>() else {
            return Err(self.no_costs(given));
        };
        let mut costs: Few<_> = self.units_of(choice).map(|unit| unit.default).collect();
        for item in named.items()?.iter() {
            let pair: PyResult<(Bound<'_, PyAny>, Bound<'_, PyAny>)> = item.extract();
            let (name, cost) = pair.map_err(|_| self.no_costs(given))?;
            let text = name.extract::<String>().unwrap_or_default();
            let Some(unit) = self.units.iter().position(|unit| unit.name == text) else {
                return Err(PyValueError::new_err(format!(
                    "cost must be of the units that the limits count, as {}, got {}",
                    self.right_costs(),
                    shown(&name)
                )));
            };
            let argument = format!("cost[{}]", shown(&name));
            let cost = int(&cost, &argument, 0, u32::MAX, "the limit")?;
            // It may be of limits that take no part.
            if let Some(place) = choice.units.iter().position(|&chosen| chosen == unit) {
                costs[place] = Some(cost);
            }
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
