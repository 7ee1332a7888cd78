//! The gate: its limits, its decisions, and the verbs of the one in memory.

mod answers;
mod call;
mod decision;
mod keys;
mod layout;
mod limits;
mod memory;
mod receipts;

pub(super) use decision::PyGateDecision;
pub(super) use memory::{PyGate, PyGateCall};
