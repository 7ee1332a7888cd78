//! What a gate needs of the limiters that it is made of.

use std::sync::Arc;

use pyo3::PyResult;

use super::PyRedisLimiter;
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

    /// Have the permits renewed that are held without an event loop.
    pub(in crate::python::redis) fn renew_held(&self) -> PyResult<()> {
        self.renewals.begin(&self.limiter, &self.route)
    }
}
