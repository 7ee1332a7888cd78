//! The limiters of windows: a constructor each, `set_quota`, and the verbs that one of them has by other names.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::arguments::{self, Cost, Given, int_up_to, number, shown, wrong_type};
use super::clock::clock;
use super::limiter::{PyLimiter, allows};
use super::patiently;
use crate::algorithm::{Algorithm, AnyAlgorithm, FixedWindow, SlidingCounter, SlidingLog};
use crate::clock::{SECOND, Ticks, seconds};
use crate::quota;
use crate::store::{MemoryStore, Options, Overflow, Store};

pub(super) type Any<'a, 'py> = &'a Bound<'py, PyAny>;

const MAX_KEYS: u32 = 1_000_000;

pub(super) fn options(
    max_keys: Option<Any<'_, '_>>,
    overflow: Option<Any<'_, '_>>,
    manual: Option<Any<'_, '_>>,
) -> PyResult<Options> {
    let max_keys = match max_keys {
        Some(most) => int_up_to(most, "max_keys", 1, u32::MAX)?,
        None => MAX_KEYS,
    };
    Ok(Options {
        max_keys: max_keys as usize,
        overflow: overflow.map_or(Ok(Overflow::Share), overflow_policy)?,
        clock: clock(manual)?,
    })
}

fn overflow_policy(name: Any<'_, '_>) -> PyResult<Overflow> {
    let Ok(text) = name.cast::<PyString>() else {
        return Err(wrong_type("overflow", "'share' or 'admit'", name));
    };
    match &*text.to_string_lossy() {
        "share" => Ok(Overflow::Share),
        "admit" => Ok(Overflow::Admit),
        _ => {
            let message = format!("overflow must be 'share' or 'admit', got {}", shown(name));
            Err(PyValueError::new_err(message))
        }
    }
}

fn window(value: Any<'_, '_>) -> PyResult<Ticks> {
    let seconds = number(value, "window_seconds")?;
    quota::window(seconds).map_err(|_| {
        PyValueError::new_err(format!(
            "window_seconds must be a number of seconds from 0.000001 to 1,000,000,000, got {}",
            shown(value)
        ))
    })
}

pub(super) fn made<T>(store: Arc<MemoryStore<T>>) -> (PyLimiter, Arc<MemoryStore<T>>)
where
    T: Algorithm,
{
    (
        PyLimiter {
            store: store.clone(),
        },
        store,
    )
}

/// At most `limit` units in each window that is aligned to Unix time.
///
/// When the wall clock is put right by more than a second, what was spent in the running window
/// counts until its end by the new time.
#[pyclass(extends = PyLimiter, subclass, frozen, name = "FixedWindow", module = "sluicegate._core")]
pub(super) struct PyFixedWindow(Arc<MemoryStore<FixedWindow>>);

fn fixed_window(
    limit: Any<'_, '_>,
    window_seconds: Any<'_, '_>,
) -> PyResult<FixedWindow> {
    let limit = int_up_to(limit, "limit", 1, u32::MAX)?;
    Ok(FixedWindow::new(limit, window(window_seconds)?))
}

#[pymethods]
impl PyFixedWindow {
    #[new]
    #[pyo3(
        signature = (limit, window_seconds, *, max_keys=None, overflow=None, clock=None),
        text_signature = "(limit, window_seconds, *, max_keys=1000000, overflow='share', clock=None)"
    )]
    fn new(
        limit: Any<'_, '_>,
        window_seconds: Any<'_, '_>,
        max_keys: Option<Any<'_, '_>>,
        overflow: Option<Any<'_, '_>>,
        clock: Option<Any<'_, '_>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let rule = fixed_window(limit, window_seconds)?;
        let (base, store) = made(MemoryStore::new(&rule, options(max_keys, overflow, clock)?));
        Ok(PyClassInitializer::from(base).add_subclass(Self(store)))
    }

    /// Change the quota of every key, at once and atomically; what was spent stays spent, and those who
    /// wait are planned anew. Arguments as of the class.
    ///
    /// Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
    #[pyo3(signature = (limit, window_seconds))]
    fn set_quota(
        &self,
        py: Python<'_>,
        limit: Any<'_, '_>,
        window_seconds: Any<'_, '_>,
    ) -> PyResult<()> {
        let rule = fixed_window(limit, window_seconds)?;
        py.detach(|| self.0.set_rule(rule));
        Ok(())
    }
}

/// Approximates a sliding window from two aligned counters.
#[pyclass(extends = PyLimiter, subclass, frozen, name = "SlidingWindowCounter", module = "sluicegate._core")]
pub(super) struct PySlidingWindowCounter(Arc<MemoryStore<SlidingCounter>>);

fn sliding_counter(limit: Any<'_, '_>, window_seconds: Any<'_, '_>) -> PyResult<SlidingCounter> {
    let FixedWindow { limit, window, .. } = fixed_window(limit, window_seconds)?;
    Ok(SlidingCounter { limit, window })
}

#[pymethods]
impl PySlidingWindowCounter {
    #[new]
    #[pyo3(
        signature = (limit, window_seconds, *, max_keys=None, overflow=None, clock=None),
        text_signature = "(limit, window_seconds, *, max_keys=1000000, overflow='share', clock=None)"
    )]
    fn new(
        limit: Any<'_, '_>,
        window_seconds: Any<'_, '_>,
        max_keys: Option<Any<'_, '_>>,
        overflow: Option<Any<'_, '_>>,
        clock: Option<Any<'_, '_>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let rule = sliding_counter(limit, window_seconds)?;
        let (base, store) = made(MemoryStore::new(&rule, options(max_keys, overflow, clock)?));
        Ok(PyClassInitializer::from(base).add_subclass(Self(store)))
    }

    /// Change the quota of every key, at once and atomically; what was spent stays spent, and those who
    /// wait are planned anew. Arguments as of the class.
    ///
    /// Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
    #[pyo3(signature = (limit, window_seconds))]
    fn set_quota(
        &self,
        py: Python<'_>,
        limit: Any<'_, '_>,
        window_seconds: Any<'_, '_>,
    ) -> PyResult<()> {
        let rule = sliding_counter(limit, window_seconds)?;
        py.detach(|| self.0.set_rule(rule));
        Ok(())
    }
}

/// At most `max_requests` in any span of `window_seconds`: exact, by a log of times.
#[pyclass(extends = PyLimiter, subclass, frozen, name = "SlidingWindowRateLimiter", module = "sluicegate._core")]
pub(super) struct PySlidingWindowRateLimiter(Arc<MemoryStore<SlidingLog>>);

/// An algorithm of windows by its name; `argument` is what its limit is called.
pub(super) fn windowed(
    name: &str,
    limit: Option<Any<'_, '_>>,
    window_seconds: Option<Any<'_, '_>>,
    argument: &str,
) -> PyResult<AnyAlgorithm> {
    let most = if name == "sliding_log" {
        SlidingLog::LARGEST
    } else {
        u32::MAX
    };
    let limit = limit.map_or(Ok(100), |limit| int_up_to(limit, argument, 1, most))?;
    let window = window_seconds.map_or(Ok(60 * SECOND), window)?;
    AnyAlgorithm::named(name, limit, window)
        .ok_or_else(|| PyValueError::new_err(format!("no algorithm is called {name}")))
}

fn sliding_log(
    max_requests: Option<Any<'_, '_>>,
    window_seconds: Option<Any<'_, '_>>,
    name: &str,
) -> PyResult<SlidingLog> {
    let limit = max_requests.map_or(Ok(100), |most| {
        int_up_to(most, name, 1, SlidingLog::LARGEST)
    })?;
    let window = window_seconds.map_or(Ok(60 * crate::clock::SECOND), window)?;
    Ok(SlidingLog { limit, window })
}

#[pymethods]
impl PySlidingWindowRateLimiter {
    #[new]
    #[pyo3(
        signature = (max_requests=Given::Nothing, window_seconds=Given::Nothing, *, max_keys=None, overflow=None, clock=None),
        text_signature = "(max_requests=100, window_seconds=60, *, max_keys=1000000, overflow='share', clock=None)"
    )]
    fn new(
        max_requests: Given<'_>,
        window_seconds: Given<'_>,
        max_keys: Option<Any<'_, '_>>,
        overflow: Option<Any<'_, '_>>,
        clock: Option<Any<'_, '_>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let (most, window) = (max_requests.value(), window_seconds.value());
        let rule = sliding_log(most.as_ref(), window.as_ref(), "max_requests")?;
        let (base, store) = made(MemoryStore::new(&rule, options(max_keys, overflow, clock)?));
        Ok(PyClassInitializer::from(base).add_subclass(Self(store)))
    }

    /// The quota's limit in requests: ``limit`` by its other name.
    #[getter]
    fn max_requests(&self) -> u32 {
        self.0.limit()
    }

    /// Decide now, and spend ``cost`` units of ``client_id`` if it is admitted: a bool, and the fastest
    /// verb.
    ///
    /// Raises ``TypeError`` for an id that is no ``str`` or a cost that is no ``int``, ``ValueError`` for a
    /// cost below 1 or above the limit.
    #[pyo3(signature = (client_id, cost=Cost(1)), text_signature = "($self, client_id, cost=1)")]
    fn is_allowed(&self, py: Python<'_>, client_id: Any<'_, '_>, cost: Cost) -> PyResult<bool> {
        allows(&*self.0, py, client_id, cost)
    }

    /// Requests that this client has left now; spends nothing. ``TypeError`` for an id that is no ``str``.
    #[pyo3(signature = (client_id))]
    fn get_remaining(&self, py: Python<'_>, client_id: Any<'_, '_>) -> PyResult<u32> {
        let key = arguments::key(&*self.0, client_id)?;
        Ok(patiently(py, |patience| {
            self.0.view(key, patience, Algorithm::remaining)
        }))
    }

    /// Unix time in seconds at which the client's first slot frees; now + window if it has spent nothing.
    ///
    /// Raises ``TypeError`` for an id that is no ``str``.
    #[pyo3(signature = (client_id))]
    fn get_reset_time(&self, py: Python<'_>, client_id: Any<'_, '_>) -> PyResult<f64> {
        let key = arguments::key(&*self.0, client_id)?;
        let first_free = |rule: &SlidingLog, state: &_, now| {
            rule.first_free_at(state, now).unwrap_or(now + rule.window)
        };
        let at = patiently(py, |patience| self.0.view(key, patience, first_free));
        Ok(seconds(self.0.unix(at)))
    }

    /// Change the quota of every key, at once and atomically; what was spent stays spent, and those who
    /// wait are planned anew. Arguments as of the class.
    ///
    /// Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
    #[pyo3(signature = (max_requests, window_seconds))]
    fn set_quota(
        &self,
        py: Python<'_>,
        max_requests: Any<'_, '_>,
        window_seconds: Any<'_, '_>,
    ) -> PyResult<()> {
        let rule = sliding_log(Some(max_requests), Some(window_seconds), "max_requests")?;
        py.detach(|| self.0.set_rule(rule));
        Ok(())
    }
}
