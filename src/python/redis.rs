//! The bindings of the limiters in Redis: a limiter, an event loop's bridge, and rare calls.

mod bridge;
pub(super) mod gate;
mod lane;
mod limiter;
mod runtime;
mod scripts;
mod settings;

pub(super) use bridge::PyBridge;
pub(super) use limiter::PyRedisLimiter;
pub(super) use scripts::PyRedisScripts;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::store::redis::Failure;

/// `sluicegate.errors.StoreError`.
fn store_error(py: Python<'_>, failure: &Failure) -> PyErr {
    static STORE_ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = STORE_ERROR.get_or_try_init(py, || {
        let errors = py.import("sluicegate.errors")?;
        errors.getattr("StoreError").map(Bound::unbind)
    });
    let error = class.and_then(|class| class.call1(py, (failure.to_string(),)));
    error.map_or_else(
        |error| error,
        |error| PyErr::from_value(error.into_bound(py)),
    )
}
