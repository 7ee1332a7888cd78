//! Checks that are counted by a label, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::arguments::{self, Cost};
use super::limiter::{PyLimiter, allows};
use super::limits_off::limits_are_off;
use super::patiently;
use crate::store::Store;

/// One check in so many is timed, in memory.
const SAMPLE: u32 = 64;

#[pyclass(frozen, name = "Cell", module = "sluicegate._core")]
#[derive(Default)]
struct PyCell(AtomicU64);

/// How often each name came, from any thread.
#[pyclass(frozen, name = "Counts", module = "sluicegate._core")]
pub(super) struct PyCounts {
    /// Gives the label of a name that has no cell.
    label: Py<PyAny>,
    cells: Py<PyDict>,
}

impl PyCounts {
    #[inline]
    fn count(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<u64> {
        match self.cells.bind(py).get_item(name) {
            Ok(Some(cell)) => Ok(cell.cast::<PyCell>()?.get().0.fetch_add(1, Relaxed)),
            _ => self.count_another(py, name),
        }
    }

    #[cold]
    fn count_another(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<u64> {
        let label = self.label.bind(py).call1((name,))?;
        let fresh = Bound::new(py, PyCell::default())?;
        // In one step, lest two threads make a cell each.
        let cell = self
            .cells
            .bind(py)
            .call_method1(intern!(py, "setdefault"), (label, fresh))?;
        Ok(cell.cast::<PyCell>()?.get().0.fetch_add(1, Relaxed))
    }
}

#[pymethods]
impl PyCounts {
    #[new]
    fn new(py: Python<'_>, label: Py<PyAny>) -> Self {
        Self {
            label,
            cells: PyDict::new(py).unbind(),
        }
    }

    /// Count one; whether it is this name's turn to have a check timed.
    fn add(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.count(py, name)? % u64::from(SAMPLE) == 0)
    }

    /// Each label's count until now.
    fn totals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let totals = self.cells.bind(py).copy()?;
        for (label, cell) in self.cells.bind(py).copy()? {
            totals.set_item(label, cell.cast::<PyCell>()?.get().0.load(Relaxed))?;
        }
        Ok(totals)
    }
}

/// A limiter in memory whose checks are counted, and a few of them measured.
#[pyclass(frozen, name = "CountedChecks", module = "sluicegate._core")]
pub(super) struct PyCountedChecks {
    store: Arc<dyn Store>,
    admitted: Py<PyCounts>,
    refused: Py<PyCounts>,
    turn: AtomicU32,
    /// Gets the seconds of a check, and the share of its quota that the key has used.
    observe: Py<PyAny>,
    /// Gets the key, the endpoint and the outcome of refusals, and of the rest if wanted.
    tell: Option<Py<PyAny>>,
    tell_admitted: bool,
}

impl PyCountedChecks {
    fn measured(&self, py: Python<'_>, key: &Bound<'_, PyAny>, began: Instant) -> PyResult<()> {
        let seconds = began.elapsed().as_secs_f64();
        let store = &*self.store;
        let key = arguments::key(store, key)?;
        let left = patiently(py, |patience| store.peek(key, 1, patience))?;
        let used = 1.0 - f64::from(left.remaining) / f64::from(left.limit);
        self.observe.call1(py, (seconds, used)).map(drop)
    }
}

#[pymethods]
impl PyCountedChecks {
    #[new]
    fn new(
        limiter: &Bound<'_, PyLimiter>,
        admitted: Py<PyCounts>,
        refused: Py<PyCounts>,
        observe: Py<PyAny>,
        tell: Option<Py<PyAny>>,
        tell_admitted: bool,
    ) -> Self {
        Self {
            store: limiter.get().store.clone(),
            admitted,
            refused,
            turn: AtomicU32::new(0),
            observe,
            tell,
            tell_admitted,
        }
    }

    /// Decide as the limiter's own ``is_allowed`` does, at a cost of 1, and count it for ``endpoint``.
    #[pyo3(signature = (key, endpoint=None), text_signature = "($self, key, endpoint='')")]
    fn is_allowed(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        endpoint: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let endpoint = endpoint.unwrap_or_else(|| intern!(py, "").as_any());
        if !endpoint.is_instance_of::<PyString>() {
            return Err(arguments::wrong_type("endpoint", "a str", endpoint));
        }
        if limits_are_off() {
            return allows(&*self.store, py, key, Cost(1));
        }
        let began = self
            .turn
            .fetch_add(1, Relaxed)
            .is_multiple_of(SAMPLE)
            .then(Instant::now);
        let allowed = allows(&*self.store, py, key, Cost(1))?;
        let counts = if allowed {
            &self.admitted
        } else {
            &self.refused
        };
        counts.get().count(py, endpoint)?;
        if let Some(began) = began {
            self.measured(py, key, began)?;
        }
        if let Some(tell) = self
            .tell
            .as_ref()
            .filter(|_| !allowed || self.tell_admitted)
        {
            tell.call1(py, (key, endpoint, allowed))?;
        }
        Ok(allowed)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.observe)?;
        visit.call(&self.tell)
    }
}
