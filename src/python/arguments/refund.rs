//! What a refund is told to give back, for limiters in memory and in Redis alike.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::{Cost, int_up_to, shown};
use crate::python::decision::PyDecision;

/// Some units of a key, or those that one decision spent.
pub(in crate::python) enum Refund<'py> {
    Units(Cost),
    /// All that have not come back yet, or so many of them.
    Spend(Bound<'py, PyDecision>, Option<u32>),
}

impl<'py> Refund<'py> {
    /// From the arguments of `refund(key, cost_or_decision, units)`; without any it is one unit.
    pub(in crate::python) fn of(
        given: Option<&Bound<'py, PyAny>>,
        units: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        if let Some(Ok(decision)) = given.map(|given| given.cast::<PyDecision>()) {
            let units = units.map(|units| int_up_to(units, "units", 1, u32::MAX));
            return Ok(Self::Spend(decision.clone(), units.transpose()?));
        }
        if let Some(units) = units {
            return Err(PyTypeError::new_err(format!(
                "units means nothing without a decision: refund(key, decision, units={0}), or \
                 refund(key, {0})",
                shown(units)
            )));
        }
        let cost = given.map_or(Ok(Cost(1)), PyAnyMethods::extract)?;
        Ok(Self::Units(cost))
    }
}
