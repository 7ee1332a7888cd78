//! The plain check, which most are: no cost is named, and every key is given. Anything else is for the
//! general way, before anything is spent.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use smallvec::{SmallVec, smallvec};

use super::FEW;
use super::decision::PyGateDecision;
use super::limits::{Asks, Limits};
use crate::gate::{LimitAsk, MemoryGate};
use crate::python::arguments::Given;
use crate::python::limits_off::limits_are_off;
use crate::store::{Ask, Fingerprint};

/// By the places of what limits count by.
type Known = SmallVec<[Fingerprint; FEW]>;

impl Limits {
    /// The decision of a plain check; `None` if it is not one.
    #[inline]
    pub(super) fn check_plainly(
        &self,
        keys: &Bound<'_, PyAny>,
        cost: &Given<'_>,
    ) -> Option<PyResult<Py<PyGateDecision>>> {
        if !self.layout.is_plain || !matches!(cost, Given::Nothing) || limits_are_off() {
            return None;
        }
        let known = self.plain_keys(keys)?;
        let mut asks = Asks::new();
        for (limit, part) in self.layout.parts.iter().enumerate() {
            let ask = Ask {
                key: known[part.by],
                cost: 1,
                quota: self.quotas[limit].as_deref(),
            };
            asks.push(LimitAsk::new(limit, ask));
        }
        let answer = self.answer(keys.py(), &mut asks, MemoryGate::check);
        Some(answer.and_then(|told| {
            let told = Bound::new(keys.py(), told)?;
            self.count(told.get().is_allowed());
            Ok(told.unbind())
        }))
    }

    /// The keys, if each is a `str` that is given.
    #[inline]
    fn plain_keys(&self, keys: &Bound<'_, PyAny>) -> Option<Known> {
        let bys = &self.layout.bys;
        if let Ok(key) = keys.cast_exact::<PyString>() {
            let is_of_all = bys.len() == 1;
            return is_of_all.then(|| Some(smallvec![self.plain_key(key)?]))?;
        }
        let keys = keys.cast_exact::<PyDict>().ok()?;
        if keys.len() != bys.len() {
            return None;
        }
        let mut known = Known::new();
        for by in bys {
            let key = keys.get_item(by.name.bind(keys.py())).ok()??;
            known.push(self.plain_key(key.cast_exact().ok()?)?);
        }
        Some(known)
    }

    #[inline]
    fn plain_key(&self, key: &Bound<'_, PyString>) -> Option<Fingerprint> {
        Some(self.gate.fingerprint(key.to_str().ok()?.as_bytes()))
    }
}
