//! The limiters of windows: a constructor each, `set_quota`, and the verbs that one of them has by other names.

pub(super) mod permits;
pub(super) mod token_bucket;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

use super::arguments::{self, Cost, Given, int_up_to, shown, window, wrong_type};
use super::clock::clock;
use super::limiter::PyLimiter;
use super::patiently;
use super::quota::{quota_alone, unit};
use crate::algorithm::{AnyAlgorithm, SlidingLog};
use crate::clock::{SECOND, seconds};
use crate::store::{Ask, Options, Overflow};

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

/// An algorithm of windows by its name, from a quota, its text, or a limit and a window; `argument`
/// is what the limit is called.
pub(super) fn windowed(
    name: &str,
    limit: Option<Any<'_, '_>>,
    window_seconds: Option<Any<'_, '_>>,
    argument: &str,
) -> PyResult<AnyAlgorithm> {
    if let Some(quota) = limit.map_or(Ok(None), |limit| {
        quota_alone(limit, &[(window_seconds, "window_seconds")])
    })? {
        return Ok(quota.windowed(name)?);
    }
    let most = if name == "sliding_log" {
        SlidingLog::LARGEST
    } else {
        u32::MAX
    };
    let limit = match limit {
        Some(limit) => {
            int_up_to(limit, argument, 1, most).map_err(|error| advised(limit, most, error))?
        }
        None => 100,
    };
    let window = window_seconds.map_or(Ok(60 * SECOND), window)?;
    AnyAlgorithm::named(name, limit, window)
        .ok_or_else(|| PyValueError::new_err(format!("no algorithm is called {name}")))
}

/// An error, with the algorithm that takes a limit that is too large for an exact log.
fn advised(limit: Any<'_, '_>, most: u32, error: PyErr) -> PyErr {
    if most < u32::MAX && limit.gt(most).unwrap_or(false) {
        return PyValueError::new_err(format!(
            "{}: a SegmentedWindow holds more",
            error.value(limit.py())
        ));
    }
    error
}

/// A `limit` that is a quota, or one with its window.
pub(super) fn window_or_quota(
    name: &str,
    limit: Any<'_, '_>,
    window_seconds: Option<Any<'_, '_>>,
) -> PyResult<AnyAlgorithm> {
    if window_seconds.is_none() && limit.is_instance_of::<PyInt>() {
        return Err(no_window(limit));
    }
    windowed(name, Some(limit), window_seconds, "limit")
}

fn no_window(limit: Any<'_, '_>) -> PyErr {
    PyTypeError::new_err(format!(
        "window_seconds is missing: give a limit with a window, as (100, 60), or a quota, as \
         '100/minute', got {}",
        shown(limit)
    ))
}

/// A class of windows whose quota is a `limit` and `window_seconds`.
macro_rules! windows {
    ($(#[$about:meta])* $class:ident, $name:literal, $algorithm:literal) => {
        $(#[$about])*
        #[pyclass(extends = PyLimiter, subclass, frozen, name = $name, module = "sluicegate._core")]
        pub(super) struct $class;

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(
                signature = (limit, window_seconds=Given::Nothing, *, max_keys=None, overflow=None, clock=None),
                text_signature = "(limit, window_seconds=..., *, max_keys=1000000, overflow='share', clock=None)"
            )]
            fn new(
                limit: Any<'_, '_>,
                window_seconds: Given<'_>,
                max_keys: Option<Any<'_, '_>>,
                overflow: Option<Any<'_, '_>>,
                clock: Option<Any<'_, '_>>,
            ) -> PyResult<PyClassInitializer<Self>> {
                let options = options(max_keys, overflow, clock)?;
                let quota = window_or_quota($algorithm, limit, window_seconds.value().as_ref())?;
                Ok(PyLimiter::of(quota, unit(Some(limit))?, options).add_subclass(Self))
            }

            /// Change the quota of every key, at once and atomically; what was spent stays spent, and those who
            /// wait are planned anew. Arguments as of the class.
            ///
            /// Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
            #[pyo3(
                signature = (limit, window_seconds=Given::Nothing),
                text_signature = "($self, limit, window_seconds=...)"
            )]
            fn set_quota(
                slf: &Bound<'_, Self>,
                limit: Any<'_, '_>,
                window_seconds: Given<'_>,
            ) -> PyResult<()> {
                let quota = window_or_quota($algorithm, limit, window_seconds.value().as_ref())?;
                slf.as_super().get().set_quota(slf.py(), quota, limit)
            }
        }
    };
}

windows! {
    /// At most `limit` units in each window that is aligned to Unix time.
    ///
    /// When the wall clock is put right by more than a second, what was spent in the running window
    /// counts until its end by the new time.
    PyFixedWindow, "FixedWindow", "fixed_window"
}

windows! {
    /// At most `limit` units in any span of `window_seconds`, by a counter for each part of the window.
    PySegmentedWindow, "SegmentedWindow", "segmented_window"
}

windows! {
    /// Approximates a sliding window from two aligned counters.
    PySlidingWindowCounter, "SlidingWindowCounter", "sliding_counter"
}

/// At most `max_requests` in any span of `window_seconds`: exact, by a log of times.
#[pyclass(extends = PyLimiter, subclass, frozen, name = "SlidingWindowRateLimiter", module = "sluicegate._core")]
pub(super) struct PySlidingWindowRateLimiter;

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
        let options = options(max_keys, overflow, clock)?;
        let quota = windowed(
            "sliding_log",
            most.as_ref(),
            window.as_ref(),
            "max_requests",
        )?;
        let unit = unit(most.as_ref())?;
        Ok(PyLimiter::of(quota, unit, options).add_subclass(Self))
    }

    /// The quota's limit in requests: ``limit`` by its other name.
    #[getter]
    fn max_requests(slf: &Bound<'_, Self>) -> u32 {
        slf.as_super().get().store.limit()
    }

    /// Decide now, and spend ``cost`` units of ``client_id`` if it is admitted: a bool, and the fastest
    /// verb.
    ///
    /// Raises ``TypeError`` for an id that is no ``str`` or a cost that is no ``int``, ``ValueError`` for a
    /// cost below 1 or above the limit, or for a ``quota`` of another window: see ``check``.
    #[pyo3(
        signature = (client_id, cost=Cost(1), *, quota=None),
        text_signature = "($self, client_id, cost=1, *, quota=None)"
    )]
    fn is_allowed(
        slf: &Bound<'_, Self>,
        client_id: Any<'_, '_>,
        cost: Cost,
        quota: Option<Any<'_, '_>>,
    ) -> PyResult<bool> {
        slf.as_super().get().allows(client_id, cost, quota)
    }

    /// Requests that this client has left now; spends nothing. ``TypeError`` for an id that is no ``str``.
    #[pyo3(signature = (client_id))]
    fn get_remaining(slf: &Bound<'_, Self>, client_id: Any<'_, '_>) -> PyResult<u32> {
        let store = &*slf.as_super().get().store;
        let key = arguments::key(store, client_id)?;
        let look = patiently(slf.py(), |patience| store.peek(Ask::new(key, 1), patience))?;
        Ok(look.remaining)
    }

    /// Unix time in seconds at which the client's first slot frees; now + window if it has spent nothing.
    ///
    /// Raises ``TypeError`` for an id that is no ``str``.
    #[pyo3(signature = (client_id))]
    fn get_reset_time(slf: &Bound<'_, Self>, client_id: Any<'_, '_>) -> PyResult<f64> {
        let store = &*slf.as_super().get().store;
        let key = arguments::key(store, client_id)?;
        let at = patiently(slf.py(), |patience| store.first_free_at(key, patience))?;
        Ok(seconds(store.unix(at)))
    }

    /// Change the quota of every key, at once and atomically; what was spent stays spent, and those who
    /// wait are planned anew. Arguments as of the class.
    ///
    /// Raises ``ValueError`` or ``TypeError`` for an argument out of its range; nothing has changed then.
    #[pyo3(
        signature = (max_requests, window_seconds=Given::Nothing),
        text_signature = "($self, max_requests, window_seconds=...)"
    )]
    fn set_quota(
        slf: &Bound<'_, Self>,
        max_requests: Any<'_, '_>,
        window_seconds: Given<'_>,
    ) -> PyResult<()> {
        let window = window_seconds.value();
        if window.is_none() && max_requests.is_instance_of::<PyInt>() {
            return Err(no_window(max_requests));
        }
        let quota = windowed(
            "sliding_log",
            Some(max_requests),
            window.as_ref(),
            "max_requests",
        )?;
        slf.as_super()
            .get()
            .set_quota(slf.py(), quota, max_requests)
    }
}
