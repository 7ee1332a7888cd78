//! The token bucket: its configuration, constructor and `set_quota`.

use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyType};

use super::{Any, options};
use crate::algorithm::{AnyAlgorithm, TokenBucket};
use crate::clock::Ticks;
use crate::error::Result;
use crate::python::arguments::{int_up_to, number, wrong_type};
use crate::python::limiter::PyLimiter;
use crate::python::quota::{quota_alone, unit};
use crate::quota::Quota;

/// The configuration of a token bucket: tokens, and tokens per second. Immutable, equal by value.
///
/// Raises ``ValueError`` or ``TypeError`` for an argument out of its range.
#[pyclass(
    frozen,
    eq,
    hash,
    name = "TokenBucketConfig",
    module = "sluicegate",
    from_py_object
)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::python) struct PyTokenBucketConfig {
    /// Most tokens a key can hold, and so the largest burst: 1 to 4,294,967,295.
    #[pyo3(get)]
    capacity: u32,
    /// The rate's bits: equal configurations have equal ones.
    refill_rate: u64,
    /// Tokens of a key at the limiter's creation, 0 to ``capacity``; ``capacity`` unless told otherwise.
    #[pyo3(get)]
    initial_tokens: u32,
}

impl PyTokenBucketConfig {
    pub(in crate::python) fn checked(
        capacity: &Bound<'_, PyAny>,
        refill_rate: &Bound<'_, PyAny>,
        initial_tokens: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let capacity = int_up_to(capacity, "capacity", 1, u32::MAX)?;
        let config = Self {
            capacity,
            refill_rate: number(refill_rate, "refill_rate")?.to_bits(),
            initial_tokens: match initial_tokens {
                Some(tokens) => int_up_to(tokens, "initial_tokens", 0, capacity)?,
                None => capacity,
            },
        };
        config.bucket(0)?;
        Ok(config)
    }

    /// The bucket that a quota is.
    pub(in crate::python) fn of(quota: &Quota) -> PyResult<Self> {
        quota.bucket()?; // which says what is wrong with it
        let (capacity, refill_rate) = quota.bucket_terms()?;
        Ok(Self {
            capacity,
            refill_rate: refill_rate.to_bits(),
            initial_tokens: capacity,
        })
    }

    pub(in crate::python) fn bucket(&self, now: Ticks) -> Result<TokenBucket> {
        TokenBucket::new(self.capacity, self.refill_rate(), self.initial_tokens, now)
    }

    /// Whether a bucket begins with less than it holds.
    pub(in crate::python) fn begins_short(&self) -> bool {
        self.initial_tokens < self.capacity
    }

    /// The same bucket, full whenever it begins.
    pub(in crate::python) fn full_bucket(&self) -> Result<TokenBucket> {
        TokenBucket::new(self.capacity, self.refill_rate(), self.capacity, 0)
    }
}

#[pymethods]
impl PyTokenBucketConfig {
    #[new]
    #[pyo3(signature = (capacity, refill_rate, initial_tokens=None))]
    fn new(
        capacity: &Bound<'_, PyAny>,
        refill_rate: &Bound<'_, PyAny>,
        initial_tokens: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Self::checked(capacity, refill_rate, initial_tokens)
    }

    /// The bucket that a quota or its text is: ``"10/second burst 20"``; without a burst it holds as
    /// much as its window admits. It begins full.
    ///
    /// Raises ``ValueError`` for a quota that is no rate, ``TypeError`` for what is no quota.
    #[staticmethod]
    #[pyo3(signature = (quota, /))]
    fn from_quota(quota: &Bound<'_, PyAny>) -> PyResult<Self> {
        match crate::python::quota::quota(quota)? {
            Some(quota) => Self::of(&quota),
            None => Err(wrong_type("quota", "a Quota or its text", quota)),
        }
    }

    /// The configuration that the arguments of a bucket are.
    #[staticmethod]
    fn _of(
        config: Option<Any<'_, '_>>,
        refill_rate: Option<Any<'_, '_>>,
        capacity: Option<Any<'_, '_>>,
    ) -> PyResult<Self> {
        bucket_config(config, capacity, refill_rate, None)
    }

    /// Tokens added per second and key: 1e-9 to 1e12.
    #[getter]
    fn refill_rate(&self) -> f64 {
        f64::from_bits(self.refill_rate)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (u32, f64, u32)) {
        let config = slf.get();
        let parts = (config.capacity, config.refill_rate(), config.initial_tokens);
        (slf.get_type(), parts)
    }

    fn __repr__(&self) -> String {
        format!(
            "TokenBucketConfig(capacity={}, refill_rate={:?}, initial_tokens={})",
            self.capacity,
            self.refill_rate(),
            self.initial_tokens
        )
    }
}

/// Bursts up to a capacity, a steady rate on average.
#[pyclass(extends = PyLimiter, subclass, frozen, name = "TokenBucket", module = "sluicegate._core")]
pub(in crate::python) struct PyTokenBucket {
    /// Locked only by a thread that has the interpreter, so that it is free in a forked child.
    config: Mutex<PyTokenBucketConfig>,
}

/// A bucket's configuration: given as one, or by its numbers.
pub(in crate::python) fn bucket_config(
    first: Option<Any<'_, '_>>,
    capacity: Option<Any<'_, '_>>,
    refill_rate: Option<Any<'_, '_>>,
    initial_tokens: Option<Any<'_, '_>>,
) -> PyResult<PyTokenBucketConfig> {
    let others = [
        (capacity, "capacity"),
        (refill_rate, "refill_rate"),
        (initial_tokens, "initial_tokens"),
    ];
    if let Some(quota) = first.map_or(Ok(None), |first| quota_alone(first, &others))? {
        return PyTokenBucketConfig::of(&quota);
    }
    match (first, capacity, refill_rate) {
        (Some(config), None, None)
            if initial_tokens.is_none() && !config.is_instance_of::<PyInt>() =>
        {
            config
                .extract()
                .map_err(|_| wrong_type("config", "a TokenBucketConfig or a quota", config))
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
        "a TokenBucket needs either config, or capacity and refill_rate: \
         TokenBucket('10/second burst 100') or TokenBucket(100, 10)",
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
        let given = config;
        let config = bucket_config(config, capacity, refill_rate, initial_tokens)?;
        let options = options(max_keys, overflow, clock)?;
        let quota = AnyAlgorithm::TokenBucket(config.bucket(options.clock.now())?);
        let unit = unit(given)?;
        let config = Mutex::new(config);
        Ok(PyLimiter::of(quota, unit, options).add_subclass(Self { config }))
    }

    /// The configuration in force.
    #[getter]
    fn config(&self) -> PyTokenBucketConfig {
        *self.config.lock()
    }

    /// Change the quota of every key, at once and atomically; what was spent stays spent, and those who
    /// wait are planned anew. ``set_quota("20/second burst 200")``, ``set_quota(200, 20)`` (tokens, and
    /// tokens per second) or ``set_quota(TokenBucketConfig(200, 20))``.
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
        let config = bucket_config(config, capacity, refill_rate, None)?;
        let quota = AnyAlgorithm::TokenBucket(config.bucket(0)?);
        // Not under the config's lock: this lets go of the interpreter.
        let limiter = slf.as_super().get();
        limiter.set_quota(slf.py(), quota, given)?;
        *slf.get().config.lock() = config;
        Ok(())
    }
}
