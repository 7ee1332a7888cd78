//! The limits of a gate in a zone that are in force, and how others come in their place.

use std::sync::{Arc, PoisonError, RwLock};

use pyo3::prelude::*;

use super::limits::{Home, Kept, Limits};
use crate::python::gate::Layout;

/// What all calls of a gate look up.
pub(super) struct InForce(RwLock<Arc<Limits>>);

impl InForce {
    pub(super) fn new(
        py: Python<'_>,
        home: &Arc<Home>,
        layout: Layout,
        kept: Vec<Kept>,
    ) -> PyResult<Self> {
        let (limits, _) = Limits::new(py, home, layout, kept, None)?;
        Ok(Self(RwLock::new(Arc::new(limits))))
    }

    #[inline]
    pub(super) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn is_by(&self, limits: &Arc<Limits>) -> bool {
        Arc::ptr_eq(&self.limits(), limits)
    }

    /// Put other limits in their place: the names of those that begin afresh. The caller sees to it
    /// that nobody else does meanwhile.
    pub(super) fn replace(
        &self,
        py: Python<'_>,
        layout: Layout,
        kept: Vec<Kept>,
    ) -> PyResult<Vec<String>> {
        let now = self.limits();
        let (limits, afresh) = Limits::new(py, &now.home, layout, kept, Some(&now))?;
        let before = {
            let mut now = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *now, Arc::new(limits))
        };
        drop(before); // without the lock: functions of Python may go with it
        Ok(afresh)
    }
}
