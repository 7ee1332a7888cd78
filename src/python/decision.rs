//! `Decision` and `Statistics`: frozen values.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyString, PyTuple, PyType};

use super::arguments::{self, int_up_to, shown};
use crate::clock::{Ticks, seconds};
use crate::decision::{Decision, Receipt, Source};
use crate::store::Statistics;

/// The outcome of one call: true when allowed, and unpacks as ``(allowed, info)``. Frozen, equal by value.
///
/// A limiter of your own makes one: ``Decision(allowed, limit, remaining, retry_after, reset_after,
/// reset_at, store="mine")``. ``store`` is a name in your code, of 1 to 64 letters, digits and ``_-.:/``
/// (a process may use 1,000 of them); seconds are from 0 to 9,007,199,254.
///
/// The one that a limiter of ours gave is a receipt: ``limiter.refund(key, decision)`` gives back
/// what it spent. Copies and pickles are none.
///
/// Raises ``ValueError`` or ``TypeError`` for an argument out of its range.
#[pyclass(subclass, frozen, eq, hash, name = "Decision", module = "sluicegate")]
pub(super) struct PyDecision(pub(super) Decision, Returned);

/// How much of what a decision spent was given back by it.
#[derive(Default)]
struct Returned(AtomicU32);

impl From<Decision> for PyDecision {
    #[inline]
    fn from(decision: Decision) -> Self {
        Self(decision, Returned::default())
    }
}

impl PartialEq for PyDecision {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Hash for PyDecision {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PyDecision {
    /// Take `units` off this receipt, all that are left unless told; how many. `is_mine`: the limiter
    /// that is to give them back made it; `key`: by which it would know the key.
    pub(super) fn take_back(&self, is_mine: bool, key: u32, units: Option<u32>) -> PyResult<u32> {
        let receipt = &self.0.receipt;
        if !self.0.allowed {
            return Err(no_receipt("it was refused, and spent nothing"));
        }
        if receipt.store == 0 {
            return Err(no_receipt(
                "it is a copy, was made while limits were off, or is of a limiter that keeps no receipts",
            ));
        }
        if !is_mine {
            return Err(no_receipt("it is of another limiter"));
        }
        if receipt.key != key {
            return Err(no_receipt("it is of another key"));
        }
        let taken = self.1.0.fetch_update(SeqCst, SeqCst, |returned| {
            let left = receipt.cost.saturating_sub(returned);
            let units = units.unwrap_or(left);
            (left > 0 && units <= left).then(|| returned + units)
        });
        match taken {
            Ok(returned) => Ok(units.unwrap_or(receipt.cost - returned)),
            // Spent from what keys share for which there was no room: nothing can come back.
            Err(_) if receipt.cost == 0 => Ok(0),
            Err(returned) if returned == receipt.cost => Err(no_receipt(&format!(
                "all that it spent, {}, was given back before",
                receipt.cost
            ))),
            Err(returned) => Err(PyValueError::new_err(format!(
                "units must be an int from 1 to what the decision spent and has not given back, {}, got {}",
                receipt.cost - returned,
                units.unwrap_or_default()
            ))),
        }
    }
}

fn no_receipt(why: &str) -> PyErr {
    PyValueError::new_err(format!(
        "decision must be the one by which this limiter admitted this key: {why}"
    ))
}

type DecisionParts = (bool, u32, u32, f64, f64, f64, &'static str);
type StatisticsParts = (u64, u64, usize, u64, u64, u64, u64);

/// A span or a time of a value's constructor, in ticks.
fn ticks(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Ticks> {
    arguments::span(value, name, Ticks::MAX >> 11)
}

#[pymethods]
impl PyDecision {
    #[new]
    #[pyo3(
        signature = (allowed, limit, remaining, retry_after, reset_after, reset_at, store=None),
        text_signature = "(allowed, limit, remaining, retry_after, reset_after, reset_at, store='memory')"
    )]
    fn new(
        allowed: bool,
        limit: &Bound<'_, PyAny>,
        remaining: &Bound<'_, PyAny>,
        retry_after: &Bound<'_, PyAny>,
        reset_after: &Bound<'_, PyAny>,
        reset_at: &Bound<'_, PyAny>,
        store: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let reset_after = ticks(reset_after, "reset_after")?;
        Ok(Decision {
            allowed,
            limit: int_up_to(limit, "limit", 1, u32::MAX)?,
            remaining: int_up_to(remaining, "remaining", 0, u32::MAX)?,
            retry_after: ticks(retry_after, "retry_after")?,
            reset_after,
            at: ticks(reset_at, "reset_at")?.saturating_sub(reset_after),
            source: store.map_or(Ok(Source::Memory), source)?,
            receipt: Receipt::NONE,
        }
        .into())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, DecisionParts) {
        let decision = slf.get();
        let parts = (
            decision.0.allowed,
            decision.0.limit,
            decision.0.remaining,
            decision.retry_after(),
            decision.reset_after(),
            decision.reset_at(),
            decision.store(),
        );
        (slf.get_type(), parts)
    }

    /// Who decided: ``"memory"``; in Redis ``"redis"``, ``"remembered"`` (this process, from what the
    /// server answered before), ``"local"`` (this process, in the server's place), ``"open"`` or
    /// ``"closed"`` (nobody: the server did not answer); or the name of a store of your own.
    #[getter]
    fn store(&self) -> &'static str {
        self.0.source.name()
    }

    /// Whether the call may go ahead, as a bool.
    #[getter]
    fn allowed(&self) -> bool {
        self.0.allowed
    }

    /// The quota's limit in units, or the bucket's capacity, when this was decided.
    #[getter]
    fn limit(&self) -> u32 {
        self.0.limit
    }

    /// Units left after this decision, 0 to ``limit``.
    #[getter]
    fn remaining(&self) -> u32 {
        self.0.remaining
    }

    /// Seconds until this cost would be admitted if nobody else spends, to the microsecond; 0.0 when
    /// allowed. A promise: a microsecond earlier it is refused, at it admitted.
    #[getter]
    fn retry_after(&self) -> f64 {
        seconds(self.0.retry_after)
    }

    /// Seconds until the whole quota is back, if nobody spends; 0.0 if it is.
    #[getter]
    fn reset_after(&self) -> f64 {
        seconds(self.0.reset_after)
    }

    /// Unix time in seconds at which the whole quota is back, fixed when this was decided.
    #[getter]
    fn reset_at(&self) -> f64 {
        seconds(self.0.at + self.0.reset_after)
    }

    /// A new dict: ``remaining`` (units) always, ``reset_at`` (Unix time) when allowed, ``retry_after``
    /// (seconds) when refused.
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let info = PyDict::new(py);
        info.set_item("remaining", self.remaining())?;
        if self.0.allowed {
            info.set_item("reset_at", self.reset_at())?;
        } else {
            info.set_item("retry_after", self.retry_after())?;
        }
        Ok(info)
    }

    fn __bool__(&self) -> bool {
        self.0.allowed
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let pair = (self.0.allowed, self.info(py)?);
        let pair: Bound<'py, PyTuple> = pair.into_pyobject(py)?;
        pair.try_iter()
    }

    fn __repr__(&self) -> String {
        format!(
            "Decision(allowed={}, limit={}, remaining={}, retry_after={:?}, reset_after={:?}, reset_at={:?}, store='{}')",
            if self.0.allowed { "True" } else { "False" },
            self.0.limit,
            self.0.remaining,
            self.retry_after(),
            self.reset_after(),
            self.reset_at(),
            self.store(),
        )
    }
}

fn source(name: &Bound<'_, PyAny>) -> PyResult<Source> {
    let Ok(text) = name.cast::<PyString>() else {
        return Err(arguments::wrong_type("store", "a str", name));
    };
    Source::named(&text.to_string_lossy())
        .map_err(|must| PyValueError::new_err(format!("store must be {must}, got {}", shown(name))))
}

/// What a limiter has done since it was made. Calls under ``limits_off`` are not counted. Frozen.
#[pyclass(frozen, eq, hash, get_all, name = "Statistics", module = "sluicegate")]
#[derive(PartialEq, Eq, Hash)]
pub(super) struct PyStatistics {
    /// Calls that were admitted (a call counts once, whatever its cost).
    admitted: u64,
    /// Calls that were refused (once, whatever their cost).
    refused: u64,
    /// Keys that are held now, including idle ones not yet swept.
    keys: usize,
    /// Keys dropped because they could not be told from keys never seen.
    evicted: u64,
    /// Calls that the overflow policy decided, since ``max_keys`` live keys were held.
    overflowed: u64,
    /// Calls with a ``quota`` that the limiter's own decided, since 65,535 others were in use.
    defaulted: u64,
    /// Calls that a limit of a gate would have refused, which only watches (``shadow=True``).
    would_have_refused: u64,
}

impl From<Statistics> for PyStatistics {
    fn from(counted: Statistics) -> Self {
        Self::new(
            counted.admitted,
            counted.refused,
            counted.keys,
            counted.evicted,
            counted.overflowed,
            counted.defaulted,
            counted.would_have_refused,
        )
    }
}

#[pymethods]
impl PyStatistics {
    #[new]
    #[pyo3(signature = (admitted, refused, keys, evicted, overflowed, defaulted=0, would_have_refused=0))]
    fn new(
        admitted: u64,
        refused: u64,
        keys: usize,
        evicted: u64,
        overflowed: u64,
        defaulted: u64,
        would_have_refused: u64,
    ) -> Self {
        Self {
            admitted,
            refused,
            keys,
            evicted,
            overflowed,
            defaulted,
            would_have_refused,
        }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, StatisticsParts) {
        (slf.get_type(), slf.get().parts())
    }

    fn __repr__(&self) -> String {
        let (admitted, refused, keys, evicted, overflowed, defaulted, would_have_refused) =
            self.parts();
        format!(
            "Statistics(admitted={admitted}, refused={refused}, keys={keys}, evicted={evicted}, overflowed={overflowed}, defaulted={defaulted}, would_have_refused={would_have_refused})"
        )
    }
}

impl PyStatistics {
    fn parts(&self) -> StatisticsParts {
        (
            self.admitted,
            self.refused,
            self.keys,
            self.evicted,
            self.overflowed,
            self.defaulted,
            self.would_have_refused,
        )
    }
}
