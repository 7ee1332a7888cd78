//! The token bucket: its constructor, configuration and `set_quota`.

use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use super::arguments::wrong_type;
use super::config::PyTokenBucketConfig;
use super::limiter::PyLimiter;
use super::memory::{Any, options};
use crate::algorithm::AnyAlgorithm;
use crate::store::in_memory;

/// Bursts up to a capacity, a steady rate on average.
#[pyclass(extends = PyLimiter, subclass, frozen, name = "TokenBucket", module = "sluicegate._core")]
pub(super) struct PyTokenBucket {
    /// Locked only by a thread that has the interpreter, so that it is free in a forked child.
    config: Mutex<PyTokenBucketConfig>,
}

/// A bucket's configuration: given as one, or by its numbers.
fn bucket_config(
    first: Option<Any<'_, '_>>,
    capacity: Option<Any<'_, '_>>,
    refill_rate: Option<Any<'_, '_>>,
    initial_tokens: Option<Any<'_, '_>>,
) -> PyResult<PyTokenBucketConfig> {
    match (first, capacity, refill_rate) {
        (Some(config), None, None)
            if initial_tokens.is_none() && !config.is_instance_of::<PyInt>() =>
        {
            config
                .extract()
                .map_err(|_| wrong_type("config", "a TokenBucketConfig", config))
        }
        (Some(config), _, _) if config.is_instance_of::<PyTokenBucketConfig>() => Err(two_ways()),
        (Some(capacity), None, Some(refill_rate)) | (None, Some(capacity), Some(refill_rate)) => {
            PyTokenBucketConfig::checked(capacity, refill_rate, initial_tokens)
        }
        _ => Err(two_ways()),
    }
}

fn two_ways() -> PyErr {
    PyTypeError::new_err(
        "a TokenBucket needs either config, or capacity and refill_rate: TokenBucket(100, 10)",
    )
}

#[pymethods]
impl PyTokenBucket {
    #[new]
    #[pyo3(
        signature = (config=None, refill_rate=None, initial_tokens=None, *, capacity=None, max_keys=None, overflow=None, clock=None),
        text_signature = "(config=None, refill_rate=None, initial_tokens=None, *, capacity=None, max_keys=1000000, overflow='share', clock=None)"
    )]
    fn new(
        config: Option<Any<'_, '_>>,
        refill_rate: Option<Any<'_, '_>>,
        initial_tokens: Option<Any<'_, '_>>,
        capacity: Option<Any<'_, '_>>,
        max_keys: Option<Any<'_, '_>>,
        overflow: Option<Any<'_, '_>>,
        clock: Option<Any<'_, '_>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let config = bucket_config(config, capacity, refill_rate, initial_tokens)?;
        let options = options(max_keys, overflow, clock)?;
        let quota = AnyAlgorithm::TokenBucket(config.bucket(options.clock.now())?);
        let base = PyLimiter::new(in_memory(quota, options));
        let bucket = Self {
            config: Mutex::new(config),
        };
        Ok(PyClassInitializer::from(base).add_subclass(bucket))
    }

    /// The configuration in force.
    #[getter]
    fn config(&self) -> PyTokenBucketConfig {
        *self.config.lock()
    }

    /// Change the quota of every key, at once and atomically; what was spent stays spent, and those who
    /// wait are planned anew. ``set_quota(TokenBucketConfig(200, 20))`` or ``set_quota(200, 20)``:
    /// tokens, and tokens per second.
    ///
    /// Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
    #[pyo3(signature = (config=None, refill_rate=None, *, capacity=None))]
    fn set_quota(
        slf: &Bound<'_, Self>,
        config: Option<Any<'_, '_>>,
        refill_rate: Option<Any<'_, '_>>,
        capacity: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
        let config = bucket_config(config, capacity, refill_rate, None)?;
        let quota = AnyAlgorithm::TokenBucket(config.bucket(0)?);
        // Not under the config's lock: this lets go of the interpreter.
        slf.as_super().get().set_quota(slf.py(), quota);
        *slf.get().config.lock() = config;
        Ok(())
    }
}
