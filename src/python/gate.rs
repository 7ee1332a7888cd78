//! The gate: its limits, its decisions, and the verbs of the one in memory.

mod asking;
mod call;
mod decision;
mod fields;
mod in_force;
mod layout;
mod limits;
mod memory;
mod part;
mod plain;
mod receipts;
mod settling;
mod succession;
mod waiting;

/// Most calls concern no more limits, keys or units, and need no memory of their own for them.
const FEW: usize = 4;

pub(super) use asking::{Choice, CostError, PyGateQuotas, Used};
pub(super) use call::PyGateCall;
pub(super) use decision::PyGateDecision;
pub(super) use fields::PyGateFields;
pub(super) use layout::{GivenPart, Layout};
pub(super) use memory::PyGate;
pub(super) use part::Part;
pub(super) use receipts::{Back, Receipts, receipt};
pub(super) use settling::Names;
pub(super) use waiting::{PyGateTicket, gate_enqueue, gate_wait_sync};
