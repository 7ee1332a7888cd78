//! The token bucket in a zone.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::super::limiter::PyLimiter;
use super::super::memory::Any;
use super::limiters::{Declared, replace};
use super::place::PyZone;
use crate::algorithm::AnyAlgorithm;
use crate::python::memory::token_bucket::{PyTokenBucketConfig, bucket_config};
use crate::store::zone::ZoneLimiter;

/// Bursts up to a capacity, a steady rate on average, of all processes of a zone. A key that was never
/// seen has a full bucket.
///
/// What was spent is kept as the time at which the bucket is full again: under another rate it counts
/// for the time that it took to refill when it was spent.
#[pyclass(extends = PyLimiter, subclass, frozen, name = "ZoneTokenBucket", module = "sluicegate._core")]
pub(in crate::python) struct PyZoneTokenBucket {
    limiter: Arc<dyn ZoneLimiter>,
    /// Locked only by a thread that has the interpreter, so that it is free in a forked child.
    config: Mutex<PyTokenBucketConfig>,
}

/// A bucket that begins full.
fn full(
    config: Option<Any<'_, '_>>,
    capacity: Option<Any<'_, '_>>,
    refill_rate: Option<Any<'_, '_>>,
) -> PyResult<(PyTokenBucketConfig, AnyAlgorithm)> {
    let config = bucket_config(config, capacity, refill_rate, None)?;
    if config.begins_short() {
        return Err(PyValueError::new_err(
            "config must have initial_tokens equal to its capacity in a zone, where a key that was never \
             seen has a full bucket: leave initial_tokens out",
        ));
    }
    let bucket = config.full_bucket()?;
    Ok((config, AnyAlgorithm::TokenBucket(bucket)))
}

#[pymethods]
impl PyZoneTokenBucket {
    #[new]
    #[pyo3(signature = (zone, name, config=None, refill_rate=None, *, capacity=None, clock=None))]
    fn new(
        zone: &Bound<'_, PyZone>,
        name: &str,
        config: Option<Any<'_, '_>>,
        refill_rate: Option<Any<'_, '_>>,
        capacity: Option<Any<'_, '_>>,
        clock: Option<Any<'_, '_>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let given = config;
        let (config, quota) = full(config, capacity, refill_rate)?;
        let declared = Declared {
            zone: zone.get(),
            name,
            quota,
            largest: None,
        };
        let (base, limiter) = declared.open(zone.py(), given, clock)?;
        let config = Mutex::new(config);
        Ok(PyClassInitializer::from(base).add_subclass(Self { limiter, config }))
    }

    /// The configuration in force.
    #[getter]
    fn config(&self) -> PyTokenBucketConfig {
        *self.config.lock()
    }

    /// Change the quota for this process, at once; what was spent stays spent. Arguments as of the class.
    ///
    /// Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
    #[pyo3(signature = (config=None, refill_rate=None, *, capacity=None))]
    fn set_quota(
        slf: &Bound<'_, Self>,
        config: Option<Any<'_, '_>>,
        refill_rate: Option<Any<'_, '_>>,
        capacity: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
        let given = config;
        let (config, quota) = full(config, capacity, refill_rate)?;
        let this = slf.get();
        replace(slf.as_super().get(), &*this.limiter, &quota, given)?;
        *this.config.lock() = config;
        Ok(())
    }
}
