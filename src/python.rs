//! The bindings: convert, call one method, convert back.

mod answer;
mod arguments;
mod clock;
mod decision;
mod fork;
mod gate;
mod limiter;
mod limits_off;
mod memory;
mod permit;
mod quota;
#[cfg(unix)]
mod redis;
mod toml_nodes;
mod waiting;
#[cfg(target_os = "linux")]
mod zone;

use pyo3::prelude::*;

use crate::store::{self, Patience, Stop};

/// The module `sluicegate._core`.
#[pymodule(name = "_core")]
mod core {
    use pyo3::prelude::*;

    /// The hot methods get their descriptors before anyone sees the classes.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::limiter::fast_call::install(module.py())
    }

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "the name that Python expects")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use super::answer::quota_fields::PyQuotaFields;
    #[pymodule_export]
    use super::answer::{PyAnswer, PyPlainRequests};
    #[pymodule_export]
    use super::clock::PyManualClock;
    #[pymodule_export]
    use super::decision::{PyDecision, PyStatistics};
    #[pymodule_export]
    use super::fork::{after_fork_in_child, after_fork_in_parent, before_fork};
    #[pymodule_export]
    use super::gate::{
        CostError, PyGate, PyGateCall, PyGateDecision, PyGateFields, PyGateQuotas, PyGateTicket,
        gate_enqueue, gate_wait_sync,
    };
    #[pymodule_export]
    use super::limiter::PyLimiter;
    #[pymodule_export]
    use super::limits_off::{are_off, limits_off};
    #[pymodule_export]
    use super::memory::permits::PyPermits;
    #[pymodule_export]
    use super::memory::token_bucket::{PyTokenBucket, PyTokenBucketConfig};
    #[pymodule_export]
    use super::memory::{
        PyFixedWindow, PySegmentedWindow, PySlidingWindowCounter, PySlidingWindowRateLimiter,
    };
    #[pymodule_export]
    use super::permit::PyPermit;
    #[pymodule_export]
    use super::quota::PyQuota;
    #[cfg(unix)]
    #[pymodule_export]
    use super::redis::{
        PyBridge, PyRedisGate, PyRedisGateCall, PyRedisLimiter, PyRedisScript, PyRedisScripts,
    };
    #[pymodule_export]
    use super::toml_nodes::read_toml;
    #[pymodule_export]
    use super::waiting::pending::PyPending;
    #[pymodule_export]
    use super::waiting::{PyBells, PyListener, PyTicket};
    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::zone::{
        PyZone, PyZoneFixedWindow, PyZoneGate, PyZoneGateCall, PyZoneGatePermits, PyZonePermits,
        PyZoneSegmentedWindow, PyZoneSlidingWindowCounter, PyZoneTokenBucket, inspect_zone,
        zone_lateness, zone_parts_for,
    };
}

/// Call a store: try first, and let go of the interpreter only if a lock is held.
#[inline]
fn patiently<T: Send>(
    py: Python<'_>,
    call: impl Fn(Patience) -> store::Result<T> + Sync + Send,
) -> PyResult<T> {
    let mut done = call(Patience::Try);
    if let Err(Stop::Locked) = done {
        done = py.detach(|| call(Patience::Wait));
    }
    done.map_err(PyErr::from)
}
