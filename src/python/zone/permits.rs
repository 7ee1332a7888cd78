//! Permits in a zone.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use pyo3::prelude::*;

use super::super::arguments::{self, int_up_to};
use super::super::limits_off::limits_are_off;
use super::super::memory::Any;
use super::super::permit::PyPermit;
use super::super::quota::quota;
use super::limiters::manual;
use super::place::{PyZone, refused};
use crate::algorithm::{AnyAlgorithm, Permits};
use crate::clock::{SECOND, seconds};
use crate::quota::window;
use crate::store::Store;
use crate::store::zone::{Leases, ZoneStore};

/// The permits of many keys, of all processes of a zone. One whose process dies lapses with its lease,
/// or up to a quarter of a lease later.
#[pyclass(
    subclass,
    frozen,
    weakref,
    name = "ZonePermits",
    module = "sluicegate._core"
)]
pub(in crate::python) struct PyZonePermits(Arc<Leases>);

#[pymethods]
impl PyZonePermits {
    #[new]
    #[pyo3(signature = (zone, name, limit, lease_seconds=30.0, *, clock=None))]
    fn new(
        zone: &Bound<'_, PyZone>,
        name: &str,
        limit: Any<'_, '_>,
        lease_seconds: f64,
        clock: Option<Any<'_, '_>>,
    ) -> PyResult<Self> {
        let limit = match quota(limit)? {
            Some(quota) => quota.permits()?.limit,
            None => int_up_to(limit, "limit", 1, 65_535)?,
        };
        let lease = window(lease_seconds).map_err(|_| {
            pyo3::exceptions::PyValueError::new_err(format!(
                "lease_seconds must be a number of seconds from 0.000001 to 1,000,000,000, got {lease_seconds}"
            ))
        })?;
        let permits = AnyAlgorithm::Permits(Permits { limit, lease });
        let zone_here = Arc::clone(&zone.get().zone);
        let store = ZoneStore::new(zone_here, name, &permits, None, manual(clock)?);
        let store = store.map_err(|refusal| refused(zone.py(), &refusal))?;
        Ok(Self(Leases::new(store)))
    }

    /// How many permits a key has.
    #[getter]
    fn limit(&self) -> u32 {
        self.0.store.limit()
    }

    /// How long a permit is held that is not renewed, in seconds; up to a quarter longer.
    #[getter]
    fn lease_seconds(&self) -> f64 {
        seconds(self.0.store.lease())
    }

    /// A permit, or ``None`` if none is free now. Release it, or use it in a ``with``.
    ///
    /// Raises ``TypeError`` if ``key`` is no str.
    #[pyo3(signature = (key))]
    fn try_acquire(&self, py: Python<'_>, key: Any<'_, '_>) -> PyResult<Option<PyPermit>> {
        let fingerprint = arguments::key(&*self.0.store, key)?;
        let number = if limits_are_off() {
            Some(UNCOUNTED)
        } else {
            self.0.take(fingerprint)
        };
        let Some(number) = number else {
            return Ok(None);
        };
        let lease = PyZoneLease {
            leases: Arc::clone(&self.0),
            number: AtomicU64::new(number),
            process: process::id(),
        };
        let source = Py::new(py, lease)?.into_any();
        Ok(Some(PyPermit::leased(key.clone().unbind(), source)))
    }

    /// Begin the lease of every permit anew that this process holds. Seconds until that is to be done
    /// again, ``None`` if none is held.
    fn renew(&self, py: Python<'_>) -> Option<f64> {
        py.detach(|| self.0.renew()).map(seconds)
    }

    /// How many permits of ``key`` are held now, by any process.
    #[pyo3(signature = (key))]
    fn in_use(&self, key: Any<'_, '_>) -> PyResult<u32> {
        let key = arguments::key(&*self.0.store, key)?;
        Ok(self.0.store.in_use(key).0)
    }

    /// Seconds until the first permit of ``key`` lapses if its holder does not renew it; 1.0 if none is
    /// held.
    #[pyo3(signature = (key))]
    fn _retry_after(&self, key: Any<'_, '_>) -> PyResult<f64> {
        let key = arguments::key(&*self.0.store, key)?;
        Ok(seconds(self.0.store.in_use(key).1.unwrap_or(SECOND)))
    }

    /// Forget who holds permits of ``key``: all are free, and releasing those does nothing.
    #[pyo3(signature = (key))]
    fn reset(&self, key: Any<'_, '_>) -> PyResult<()> {
        let key = arguments::key(&*self.0.store, key)?;
        Ok(self.0.store.reset(key, crate::store::Patience::Wait)?)
    }

    /// Forget who holds permits, of every key.
    fn clear(&self, py: Python<'_>) {
        py.detach(|| self.0.store.clear());
    }

    /// Keys of which a permit is held.
    fn __len__(&self, py: Python<'_>) -> usize {
        py.detach(|| self.0.store.len())
    }

    #[expect(
        clippy::unused_self,
        reason = "one of which nobody holds a permit is still one"
    )]
    fn __bool__(&self) -> bool {
        true
    }
}

/// Numbers of permits that are held beside the limit, since limits were off, and of none.
const UNCOUNTED: u64 = u64::MAX;
const NONE: u64 = 0;

/// What a permit holds of a zone; given back when it is dropped.
#[pyclass(frozen, name = "ZoneLease", module = "sluicegate._core")]
struct PyZoneLease {
    leases: Arc<Leases>,
    number: AtomicU64,
    process: u32,
}

#[pymethods]
impl PyZoneLease {
    #[getter]
    fn held(&self) -> bool {
        match self.number.load(SeqCst) {
            NONE => false,
            UNCOUNTED => self.process == process::id(),
            number => self.leases.holds(number),
        }
    }

    #[getter]
    #[expect(clippy::unused_self, reason = "Python asks each")]
    fn blocks(&self) -> bool {
        true
    }

    fn release(&self) {
        match self.number.swap(NONE, SeqCst) {
            NONE | UNCOUNTED => {}
            number => self.leases.release(number),
        }
    }
}

impl Drop for PyZoneLease {
    fn drop(&mut self) {
        self.release();
    }
}
