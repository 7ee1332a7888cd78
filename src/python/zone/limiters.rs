//! The limiters of windows in a zone.

use std::sync::Arc;

use pyo3::prelude::*;

use super::super::arguments::{Given, int_up_to, window};
use super::super::clock::clock;
use super::super::limiter::PyLimiter;
use super::super::memory::{Any, window_or_quota};
use super::super::quota::unit;
use super::place::{PyZone, refused};
use crate::algorithm::AnyAlgorithm;
use crate::clock::{Clock, ManualClock, seconds};
use crate::python::arguments::key_quota::of_unit;
use crate::store::zone::{ZoneLimiter, in_zone, lateness, parts_for};

/// The clock that a test gives.
pub(super) fn manual(given: Option<Any<'_, '_>>) -> PyResult<Option<Arc<ManualClock>>> {
    Ok(match clock(given)? {
        Clock::Manual(clock) => Some(clock),
        Clock::System(_) => None,
    })
}

/// A limit in a zone: which one, and its quota.
pub(super) struct Declared<'a> {
    pub(super) zone: &'a PyZone,
    pub(super) name: &'a str,
    pub(super) quota: AnyAlgorithm,
    pub(super) largest: Option<u32>,
}

impl Declared<'_> {
    /// Its limiter. `given` is the quota, if it is one.
    pub(super) fn open(
        &self,
        py: Python<'_>,
        given: Option<Any<'_, '_>>,
        clock: Option<Any<'_, '_>>,
    ) -> PyResult<(PyLimiter, Arc<dyn ZoneLimiter>)> {
        let (manual, unit) = (manual(clock)?, unit(given)?);
        let zone = Arc::clone(&self.zone.zone);
        let limiter = in_zone(zone, self.name, &self.quota, self.largest, manual);
        let limiter = limiter.map_err(|refusal| refused(py, &refusal))?;
        let store = Arc::clone(&limiter);
        Ok((PyLimiter { store, unit }, limiter))
    }
}

/// Change the quota of a limiter, which `given` may be the text of.
pub(super) fn replace(
    base: &PyLimiter,
    limiter: &dyn ZoneLimiter,
    quota: &AnyAlgorithm,
    given: Option<Any<'_, '_>>,
) -> PyResult<()> {
    if let Some(given) = given {
        of_unit(given, &base.unit)?;
    }
    Ok(limiter.replace(quota)?)
}

/// A class of windows in a zone, whose quota is a `limit` and `window_seconds`.
macro_rules! windows {
    ($(#[$about:meta])* $class:ident, $name:literal, $algorithm:literal) => {
        $(#[$about])*
        #[pyclass(extends = PyLimiter, subclass, frozen, name = $name, module = "sluicegate._core")]
        pub(in crate::python) struct $class(Arc<dyn ZoneLimiter>);

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(
                signature = (zone, name, limit, window_seconds=Given::Nothing, *, clock=None),
                text_signature = "(zone, name, limit, window_seconds=..., *, clock=None)"
            )]
            fn new(
                zone: &Bound<'_, PyZone>,
                name: &str,
                limit: Any<'_, '_>,
                window_seconds: Given<'_>,
                clock: Option<Any<'_, '_>>,
            ) -> PyResult<PyClassInitializer<Self>> {
                let quota = window_or_quota($algorithm, limit, window_seconds.value().as_ref())?;
                let declared = Declared { zone: zone.get(), name, quota, largest: None };
                let (base, limiter) = declared.open(zone.py(), Some(limit), clock)?;
                Ok(PyClassInitializer::from(base).add_subclass(Self(limiter)))
            }

            /// Change the quota for this process, at once; what was spent stays spent. The window stays as it
            /// is: another window is another limit. Arguments as of the class.
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
                replace(slf.as_super().get(), &*slf.get().0, &quota, Some(limit))
            }
        }
    };
}

windows! {
    /// At most `limit` units in each window that is aligned to Unix time, of all processes of a zone.
    PyZoneFixedWindow, "ZoneFixedWindow", "fixed_window"
}

windows! {
    /// Approximates a sliding window from two aligned counters, of all processes of a zone.
    PyZoneSlidingWindowCounter, "ZoneSlidingWindowCounter", "sliding_counter"
}

/// At most `limit` units in any span of `window_seconds`, of all processes of a zone, by as many parts as
/// one word of 80 bits has counters for.
///
/// A unit is back one part late at most: window / 7 for limits to 1,023; / 9 to 255, / 79 for a limit of
/// 1; / 6 to 2,047, / 5 to 8,191, / 4 to 65,535 (for 10,000 a day 6 hours), / 3 to 1,048,575, / 2 to
/// 67,108,863, and a whole window above. `largest` is the largest limit that any process or key will
/// have: whoever makes the limit in the zone first lays it out for that. A limit above it is a
/// ``ValueError``.
#[pyclass(extends = PyLimiter, subclass, frozen, name = "ZoneSegmentedWindow", module = "sluicegate._core")]
pub(in crate::python) struct PyZoneSegmentedWindow(Arc<dyn ZoneLimiter>);

#[pymethods]
impl PyZoneSegmentedWindow {
    #[new]
    #[pyo3(
        signature = (zone, name, limit, window_seconds=Given::Nothing, *, largest=None, clock=None),
        text_signature = "(zone, name, limit, window_seconds=..., *, largest=None, clock=None)"
    )]
    fn new(
        zone: &Bound<'_, PyZone>,
        name: &str,
        limit: Any<'_, '_>,
        window_seconds: Given<'_>,
        largest: Option<Any<'_, '_>>,
        clock: Option<Any<'_, '_>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let quota = window_or_quota("segmented_window", limit, window_seconds.value().as_ref())?;
        let largest = largest.map(|most| int_up_to(most, "largest", quota.limit(), u32::MAX));
        let declared = Declared {
            zone: zone.get(),
            name,
            quota,
            largest: largest.transpose()?,
        };
        let (base, limiter) = declared.open(zone.py(), Some(limit), clock)?;
        Ok(PyClassInitializer::from(base).add_subclass(Self(limiter)))
    }

    /// Into how many parts the window is cut.
    #[getter]
    fn parts(&self) -> u8 {
        self.0.parts()
    }

    /// Change the quota for this process, at once; what was spent stays spent. The window stays as it
    /// is: another window is another limit. Arguments as of the class.
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
        let quota = window_or_quota("segmented_window", limit, window_seconds.value().as_ref())?;
        replace(slf.as_super().get(), &*slf.get().0, &quota, Some(limit))
    }
}

/// Into how many parts a zone's word divides the window of a limit of up to `largest` units.
#[pyfunction]
#[pyo3(signature = (largest, /))]
pub(in crate::python) fn zone_parts_for(largest: u32) -> u8 {
    parts_for(largest)
}

/// How many seconds later than by an exact log a unit may be back, in a zone's segments that are laid
/// out for `largest` units.
#[pyfunction]
#[pyo3(signature = (largest, window_seconds, /))]
pub(in crate::python) fn zone_lateness(largest: u32, window_seconds: Any<'_, '_>) -> PyResult<f64> {
    Ok(seconds(lateness(largest, window(window_seconds)?)))
}
