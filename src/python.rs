//! The bindings: convert, call one method, convert back.

mod arguments;
mod batch;
mod bells;
mod clock;
mod concrete;
mod config;
mod counting;
mod decision;
mod fork;
mod hot;
mod limiter;
mod parking;
mod pending;
mod permits;
mod place;
#[cfg(unix)]
mod redis;
mod switch;
mod token_bucket;

use pyo3::prelude::*;

/// The module `sluicegate._core`.
#[pymodule(name = "_core")]
mod core {
    use pyo3::prelude::*;

    /// The hot methods get their descriptors before anyone sees the classes.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::hot::install(module.py())
    }

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "the name that Python expects")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use super::bells::{PyBells, PyListener};
    #[pymodule_export]
    use super::clock::PyManualClock;
    #[pymodule_export]
    use super::concrete::{PyFixedWindow, PySlidingWindowCounter, PySlidingWindowRateLimiter};
    #[pymodule_export]
    use super::config::PyTokenBucketConfig;
    #[pymodule_export]
    use super::counting::{PyCountedChecks, PyCounts};
    #[pymodule_export]
    use super::decision::{PyDecision, PyStatistics};
    #[pymodule_export]
    use super::fork::{after_fork_in_child, after_fork_in_parent, before_fork};
    #[pymodule_export]
    use super::limiter::PyLimiter;
    #[pymodule_export]
    use super::pending::PyPending;
    #[pymodule_export]
    use super::permits::{PyGrant, PyPermits};
    #[pymodule_export]
    use super::place::PyPlace;
    #[cfg(unix)]
    #[pymodule_export]
    use super::redis::{PyBridge, PyRedisLimiter, PyRedisScripts};
    #[pymodule_export]
    use super::switch::{are_off, limits_off};
    #[pymodule_export]
    use super::token_bucket::PyTokenBucket;
}

/// Call a store: try first, and let go of the interpreter only if a lock is held.
#[inline]
fn patiently<T: Send>(
    py: Python<'_>,
    call: impl Fn(crate::store::Patience) -> Option<T> + Sync + Send,
) -> T {
    use crate::store::Patience;
    if let Some(done) = call(Patience::Try) {
        return done;
    }
    py.detach(|| {
        loop {
            if let Some(done) = call(Patience::Wait) {
                return done;
            }
        }
    })
}
