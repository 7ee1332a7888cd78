//! Permits in this process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::arguments::key_bytes;
use super::bells::PyBells;
use super::limits_off::limits_are_off;
use super::parking::Sleeper;
use crate::store::{Grant, Parker, Permits, Wake};

/// The permits of a limiter's keys.
#[pyclass(frozen, name = "Permits", module = "sluicegate._core")]
pub(super) struct PyPermits(Arc<Permits>);

/// One permit, or the wait for it; over when it is dropped.
#[pyclass(frozen, name = "Grant", module = "sluicegate._core")]
pub(super) struct PyGrant {
    permits: Arc<Permits>,
    grant: Arc<Grant>,
}

impl PyPermits {
    fn holding(&self, grant: Arc<Grant>) -> PyGrant {
        PyGrant {
            permits: Arc::clone(&self.0),
            grant,
        }
    }
}

impl PyGrant {
    fn has_come(&self) -> bool {
        if limits_are_off() {
            self.permits.excuse(&self.grant);
        }
        self.permits.holds(&self.grant)
    }
}

#[pymethods]
impl PyPermits {
    #[new]
    fn new(limit: u32) -> Self {
        Self(Permits::new(limit))
    }

    #[getter]
    fn limit(&self) -> u32 {
        self.0.limit()
    }

    /// A permit, if one is free.
    fn take(&self, key: &Bound<'_, PyAny>) -> PyResult<Option<PyGrant>> {
        if limits_are_off() {
            return Ok(Some(self.uncounted()));
        }
        let taken = self.0.take(&key_bytes(key)?);
        Ok(taken.map(|grant| self.holding(grant)))
    }

    /// A permit that counts for nothing.
    fn uncounted(&self) -> PyGrant {
        self.holding(self.0.uncounted())
    }

    /// A permit if one is free, or else a place in line; the bell rings when it has come.
    fn join(&self, key: &Bound<'_, PyAny>, bells: &PyBells, number: u64) -> PyResult<PyGrant> {
        Ok(self.holding(self.0.join(&key_bytes(key)?, bells.bell(number))))
    }

    /// A permit; this thread waits for it until so many seconds are over.
    fn wait(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        seconds: f64,
    ) -> PyResult<Option<PyGrant>> {
        let parker = Arc::new(Parker::default());
        let sleeper = Sleeper::new(py, &parker)?;
        // More than can be added to a time is for ever.
        let seconds = Duration::try_from_secs_f64(seconds).ok();
        let until = seconds.and_then(|seconds| Instant::now().checked_add(seconds));
        let wake: Arc<dyn Wake> = parker.clone();
        // Given back, if a signal handler raises.
        let grant = self.holding(self.0.join(&key_bytes(key)?, wake));
        while !grant.has_come() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            sleeper.sleep(py, left)?;
        }
        Ok(Some(grant))
    }

    /// How many permits of a key are held.
    fn in_use(&self, key: &Bound<'_, PyAny>) -> PyResult<u32> {
        Ok(self.0.count(&key_bytes(key)?).0)
    }

    /// How many callers wait for one.
    fn waiting(&self, key: &Bound<'_, PyAny>) -> PyResult<usize> {
        Ok(self.0.count(&key_bytes(key)?).1)
    }

    fn __len__(&self) -> usize {
        self.0.keys()
    }
}

#[pymethods]
impl PyGrant {
    #[getter]
    fn held(&self) -> bool {
        self.permits.holds(&self.grant)
    }

    /// Whether the wait is over; while limits are off it is.
    fn come(&self) -> bool {
        self.has_come()
    }

    /// Give it back, or wait no longer.
    fn release(&self) {
        self.permits.release(&self.grant);
    }
}

impl Drop for PyGrant {
    fn drop(&mut self) {
        self.permits.release(&self.grant);
    }
}
