//! What a call asks of the limits: of which of them, of whose keys, how much, and by which quotas.

mod answers;
mod choice;
mod cost_error;
mod costs;
mod keys;
mod questions;
mod quotas;
mod used;

pub(super) use answers::Plan;
pub(in crate::python) use choice::Choice;
pub(in crate::python) use cost_error::CostError;
pub(in crate::python) use quotas::PyGateQuotas;
pub(in crate::python) use used::Used;
