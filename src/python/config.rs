//! `TokenBucketConfig`.

use pyo3::prelude::*;
use pyo3::types::PyType;

use super::arguments::{int_up_to, number};
use crate::algorithm::TokenBucket;
use crate::clock::Ticks;
use crate::error::Result;

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
#[derive(Clone, Copy)]
pub(super) struct PyTokenBucketConfig {
    /// Most tokens a key can hold, and so the largest burst: 1 to 4,294,967,295.
    #[pyo3(get)]
    capacity: u32,
    /// Tokens added per second and key: 1e-9 to 1e12.
    #[pyo3(get)]
    refill_rate: f64,
    /// Tokens of a key at the limiter's creation, 0 to ``capacity``; ``capacity`` unless told otherwise.
    #[pyo3(get)]
    initial_tokens: u32,
}

impl PyTokenBucketConfig {
    pub(super) fn checked(
        capacity: &Bound<'_, PyAny>,
        refill_rate: &Bound<'_, PyAny>,
        initial_tokens: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let capacity = int_up_to(capacity, "capacity", 1, u32::MAX)?;
        let config = Self {
            capacity,
            refill_rate: number(refill_rate, "refill_rate")?,
            initial_tokens: match initial_tokens {
                Some(tokens) => int_up_to(tokens, "initial_tokens", 0, capacity)?,
                None => capacity,
            },
        };
        config.bucket(0)?;
        Ok(config)
    }

    pub(super) fn bucket(&self, now: Ticks) -> Result<TokenBucket> {
        TokenBucket::new(self.capacity, self.refill_rate, self.initial_tokens, now)
    }

    /// The same bucket, full whenever it begins.
    pub(super) fn full_bucket(&self) -> Result<TokenBucket> {
        TokenBucket::new(self.capacity, self.refill_rate, self.capacity, 0)
    }

    fn parts(&self) -> (u32, u64, u32) {
        (
            self.capacity,
            self.refill_rate.to_bits(),
            self.initial_tokens,
        )
    }
}

impl PartialEq for PyTokenBucketConfig {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for PyTokenBucketConfig {}

impl std::hash::Hash for PyTokenBucketConfig {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
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

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (u32, f64, u32)) {
        let config = slf.get();
        let parts = (config.capacity, config.refill_rate, config.initial_tokens);
        (slf.get_type(), parts)
    }

    fn __repr__(&self) -> String {
        format!(
            "TokenBucketConfig(capacity={}, refill_rate={:?}, initial_tokens={})",
            self.capacity, self.refill_rate, self.initial_tokens
        )
    }
}
