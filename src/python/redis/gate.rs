//! A gate in Redis, as its coroutines and its blocking calls need it.

use pyo3::prelude::*;

use crate::store::redis::GATE;

/// Several limits in Redis with one decision. Its coroutines are in `sluicegate.redis`.
#[pyclass(frozen, name = "RedisGate", module = "sluicegate._core")]
pub(in crate::python) struct PyRedisGate {}

#[pymethods]
impl PyRedisGate {
    /// The text of the script that decides.
    #[staticmethod]
    fn script() -> &'static str {
        GATE.text()
    }
}
