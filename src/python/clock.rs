//! `ManualClock`.

use std::sync::Arc;

use pyo3::prelude::*;

use super::arguments;
use crate::clock::{Clock, LONGEST_SPAN, ManualClock, Ticks, seconds};
use crate::error::{Error, Result};

/// The year 2223, far enough from the end of what the arithmetic can hold.
const LAST: Ticks = 8 * LONGEST_SPAN;

/// A clock for tests, which only moves when it is told to; ``start`` is Unix time in seconds, 0 unless
/// given, to 8,000,000,000.
#[pyclass(frozen, name = "ManualClock", module = "sluicegate")]
pub(super) struct PyManualClock(Arc<ManualClock>);

#[pymethods]
impl PyManualClock {
    #[new]
    #[pyo3(signature = (start=None), text_signature = "(start=0.0)")]
    fn new(start: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let start = start.map_or(Ok(0), |start| arguments::span(start, "start", LAST))?;
        Ok(Self(Arc::new(ManualClock::new(start))))
    }

    /// Move forward by ``seconds``, rounded to the nearest microsecond, and wake those whose turn has
    /// come, in threads and coroutines.
    ///
    /// Raises ``ValueError`` for seconds below 0 or beyond the clock's last time, 8,000,000,000 (the
    /// year 2223), ``TypeError`` for what is no number.
    #[pyo3(signature = (seconds))]
    fn advance(&self, py: Python<'_>, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        let by = arguments::span(seconds, "seconds", LAST)?;
        if py.detach(|| self.0.advance_within(by, LAST)) {
            return Ok(());
        }
        // Said with what is left of the clock's range.
        let left = LAST.saturating_sub(self.0.now());
        arguments::span(seconds, "seconds", left.min(by.saturating_sub(1))).map(drop)
    }

    /// :meth:`advance` by whole ``microseconds``, which wakes nobody and so takes no longer for keys: for a
    /// replay, in which nobody waits.
    ///
    /// Raises ``ValueError`` beyond the clock's last time.
    fn _skip(&self, microseconds: u64) -> Result<()> {
        if self.0.skip_within(microseconds, LAST) {
            return Ok(());
        }
        let range = "at most what is left until 8,000,000,000 s, in the year 2223";
        Err(Error::out_of_range("microseconds", &microseconds, range))
    }

    /// Unix time in seconds, as the limiters on this clock see it.
    fn time(&self) -> f64 {
        seconds(self.0.now())
    }

    fn __repr__(&self) -> String {
        format!("ManualClock({:?})", self.time())
    }
}

/// The clock that an argument asks for.
pub(super) fn clock(manual: Option<&Bound<'_, PyAny>>) -> PyResult<Clock> {
    let Some(manual) = manual else {
        return Ok(Clock::system());
    };
    match manual.cast::<PyManualClock>() {
        Ok(clock) => Ok(Clock::Manual(Arc::clone(&clock.get().0))),
        Err(_) => Err(arguments::wrong_type(
            "clock",
            "a ManualClock or None",
            manual,
        )),
    }
}
