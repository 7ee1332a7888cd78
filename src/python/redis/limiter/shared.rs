//! What a gate needs of the limiters that it is made of.

use std::sync::Arc;

use pyo3::prelude::*;

use super::PyRedisLimiter;
use crate::python::redis::clearing;
use crate::python::redis::lazy_route::LazyRoute;
use crate::store::redis::RedisLimiter;

impl PyRedisLimiter {
    /// What it is without Python.
    pub(in crate::python::redis) fn core(&self) -> &Arc<RedisLimiter> {
        &self.limiter
    }

    /// How its calls get to the server.
    pub(in crate::python::redis) fn route(&self) -> &Arc<LazyRoute> {
        &self.route
    }

    pub(super) fn counted(&self) -> (u64, u64, u64, u64, u64, u64) {
        let s = self.limiter.statistics();
        (
            s.admitted,
            s.refused,
            s.errors,
            s.timeouts,
            s.local,
            s.remembered,
        )
    }

    /// An awaitable: it ends when all keys are forgotten.
    pub(super) fn clearing<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        clearing::begun(py, &self.route, vec![Arc::clone(&self.limiter)])
    }

    /// The same. Blocks its thread.
    pub(super) fn cleared(&self, py: Python<'_>) -> PyResult<()> {
        clearing::asked(py, &self.route, vec![Arc::clone(&self.limiter)])
    }

    /// Have the permits renewed that are held without an event loop.
    pub(in crate::python::redis) fn renew_held(&self) -> PyResult<()> {
        self.renewals.begin(&self.limiter, &self.route)
    }
}
