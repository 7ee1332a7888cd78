//! An event loop's bells.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::store::{Bell, Bells, Wake};

/// The bells of those who wait in one event loop.
#[pyclass(frozen, name = "Bells", module = "sluicegate._core")]
pub(super) struct PyBells(Arc<Bells>);

impl PyBells {
    /// The bell with this number.
    pub(super) fn bell(&self, number: u64) -> Arc<dyn Wake> {
        Arc::new(Bell::new(Arc::clone(&self.0), number))
    }
}

#[pymethods]
impl PyBells {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(Bells::new()?))
    }

    fn fileno(&self) -> i32 {
        self.0.descriptor()
    }

    fn listener(&self) -> PyListener {
        PyListener(Arc::clone(&self.0))
    }

    #[getter]
    fn open(&self) -> bool {
        self.0.is_open()
    }

    fn rung(&self) -> Vec<u64> {
        self.0.rung()
    }

    fn answered(&self, number: u64) {
        self.0.answered(number);
    }
}

/// Kept by the event loop that listens: gone with it, or when it is closed.
#[pyclass(frozen, name = "Listener", module = "sluicegate._core")]
pub(super) struct PyListener(Arc<Bells>);

impl Drop for PyListener {
    fn drop(&mut self) {
        self.0.close();
    }
}
