//! How the verbs ask the store.

use std::sync::Arc;

use pyo3::prelude::*;

use super::PyLimiter;
use crate::algorithm::AnyAlgorithm;
use crate::decision::Decision;
use crate::python::arguments::key_quota::{self, key_quota};
use crate::python::arguments::{self, Cost};
use crate::python::decision::PyDecision;
use crate::python::limits_off::{admit_untouched, limits_are_off};
use crate::python::patiently;
use crate::store::{self, Ask, Options, Patience, Queues, in_memory};

impl PyLimiter {
    /// How many keys it holds. Other threads run while they are counted one by one.
    pub(super) fn keys(&self, py: Python<'_>) -> usize {
        if self.store.scans() {
            return py.detach(|| self.store.len());
        }
        self.store.len()
    }

    pub(super) fn refund_decision(
        &self,
        key: &Bound<'_, PyAny>,
        decision: &PyDecision,
        units: Option<u32>,
    ) -> PyResult<()> {
        let fingerprint = arguments::key(&*self.store, key)?;
        if limits_are_off() {
            return Ok(());
        }
        let is_mine = self.store.is_mine(&decision.0.receipt);
        let units = decision.take_back(is_mine, fingerprint.tag(), units)?;
        let receipt = &decision.0.receipt;
        patiently(key.py(), |patience| {
            self.store
                .refund_spend(fingerprint, receipt, units, patience)
        })
    }

    pub(super) fn give_back(&self, key: &Bound<'_, PyAny>, units: u32) -> PyResult<()> {
        let store = &*self.store;
        let fingerprint = arguments::key(store, key)?;
        if limits_are_off() {
            return Ok(());
        }
        patiently(key.py(), |patience| {
            store.refund(fingerprint, units, patience)
        })
    }

    /// The base of a limiter.
    pub(in crate::python) fn of(
        quota: AnyAlgorithm,
        unit: Arc<str>,
        options: Options,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Self {
            store: in_memory(quota, options),
            unit,
        })
    }

    /// A quota of this limiter's algorithm, `given` as a quota perhaps, which then counts the same.
    pub(in crate::python) fn set_quota<'a, 'py: 'a>(
        &self,
        py: Python<'py>,
        quota: AnyAlgorithm,
        given: impl Into<Option<&'a Bound<'py, PyAny>>>,
    ) -> PyResult<()> {
        if let Some(given) = given.into() {
            key_quota::of_unit(given, &self.unit)?;
        }
        let is_ours = py.detach(|| self.store.set_quota(quota));
        debug_assert!(is_ours);
        Ok(())
    }

    /// What `verb` says of a key, as soon as no lock is in its way. While limits are off it is not
    /// asked: `off` makes something of an admission by nobody.
    pub(super) fn ask<T: Send>(
        &self,
        key: &Bound<'_, PyAny>,
        Cost(cost): Cost,
        quota: Option<&Bound<'_, PyAny>>,
        off: impl FnOnce(Decision) -> T,
        verb: impl Fn(&dyn Queues, Ask<'_>, Patience) -> store::Result<T> + Sync + Send,
    ) -> PyResult<T> {
        let store = &*self.store;
        let quota = key_quota(quota, &self.unit)?;
        let ask = Ask {
            key: arguments::key(store, key)?,
            cost,
            quota: quota.as_deref(),
        };
        if limits_are_off() {
            return Ok(off(admit_untouched(store, ask)?));
        }
        patiently(key.py(), |patience| verb(store, ask, patience))
    }

    /// `is_allowed`, also for the class that calls its key `client_id`.
    pub(in crate::python) fn allows(
        &self,
        key: &Bound<'_, PyAny>,
        cost: Cost,
        quota: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let verb =
            |store: &dyn Queues, ask: Ask<'_>, patience| store.is_allowed(ask, None, patience);
        self.ask(key, cost, quota, |_| true, verb)
    }
}
