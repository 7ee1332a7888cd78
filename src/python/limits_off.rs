//! The switch that users' tests turn to admit everything.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

use crate::clock::Ticks;
use crate::decision::{Decision, Receipt, Source};
use crate::fork;
use crate::store::{self, Ask, Patience, Store};

static BLOCKS: AtomicUsize = AtomicUsize::new(0);

/// Enter (`True`) or leave (`False`) a block in which nothing is limited, nor waited for.
#[pyfunction]
#[pyo3(name = "limits_off")]
pub(super) fn limits_off(py: Python<'_>, off: bool) {
    if off {
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        // Those who come between the two see it once they are in line.
        py.detach(fork::wake_all);
    } else {
        BLOCKS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether such a block runs.
#[pyfunction]
#[pyo3(name = "limits_are_off")]
pub(super) fn are_off() -> bool {
    limits_are_off()
}

#[inline]
pub(super) fn limits_are_off() -> bool {
    BLOCKS.load(Ordering::Relaxed) > 0
}

/// The decision while limits are off; the arguments still have to be right.
pub(super) fn admit_untouched(store: &dyn Store, ask: Ask<'_>) -> store::Result<Decision> {
    let limit = store.examine(ask, Patience::Wait)?;
    Ok(untouched(limit, store.unix(store.now())))
}

/// An admission by nobody.
pub(super) fn untouched(limit: u32, at: Ticks) -> Decision {
    Decision {
        allowed: true,
        limit,
        remaining: limit,
        retry_after: 0,
        reset_after: 0,
        at,
        source: Source::Memory,
        receipt: Receipt::NONE,
    }
}
