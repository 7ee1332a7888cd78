//! The limits of a gate that are in force, and how others come in their place.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use pyo3::prelude::*;

use super::layout::Layout;
use super::limits::Limits;
use super::succession::Succession;
use crate::store::Options;

/// What all calls of a gate look up.
pub(super) struct InForce {
    limits: RwLock<Arc<Limits>>,
    options: Options,
    /// Held by whoever puts other limits in their place.
    changing: Mutex<()>,
}

impl InForce {
    pub(super) fn new(layout: Layout, options: Options) -> PyResult<Self> {
        let limits = Limits::new(layout, &options)?;
        Ok(Self {
            limits: RwLock::new(Arc::new(limits)),
            options,
            changing: Mutex::new(()),
        })
    }

    pub(super) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn is_by(&self, limits: &Arc<Limits>) -> bool {
        Arc::ptr_eq(&self.limits(), limits)
    }

    /// Those that come after these, which go on; and the names of the limits that begin afresh.
    pub(super) fn successor(&self, layout: Layout) -> PyResult<(Self, Vec<String>)> {
        let options = self.options.clone();
        let (limits, afresh) = self
            .limits()
            .succeeded(layout, &options, Succession::Beside)?;
        let successor = Self {
            limits: RwLock::new(Arc::new(limits)),
            options,
            changing: Mutex::new(()),
        };
        Ok((successor, afresh))
    }

    /// Put other limits in their place. Those that were, which are let go of when the caller has the
    /// interpreter again; and the names of the limits that begin afresh.
    pub(super) fn replace(&self, layout: Layout) -> PyResult<(Arc<Limits>, Vec<String>)> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (limits, afresh) =
            self.limits()
                .succeeded(layout, &self.options, Succession::Instead)?;
        let before = {
            let mut now = self.limits.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *now, Arc::new(limits))
        };
        before.gate.dismiss_waiters();
        Ok((before, afresh))
    }
}
