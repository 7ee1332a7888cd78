//! Blocking a thread of Python's.

use std::time::Duration;

use pyo3::prelude::*;

use crate::store::Parker;

/// How often a blocked main thread looks for Ctrl-C.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// A thread that sleeps now and then. Only the main thread is ever asked to handle a signal, so
/// all others sleep until they are woken or due.
pub(super) struct Sleeper<'a> {
    parker: &'a Parker,
    longest: Option<Duration>,
}

impl<'a> Sleeper<'a> {
    pub(super) fn new(py: Python<'_>, parker: &'a Parker) -> PyResult<Self> {
        let threading = py.import("threading")?;
        let main = threading.call_method0("main_thread")?.getattr("ident")?;
        let here = threading.call_method0("get_ident")?;
        let longest = main.eq(here)?.then_some(SIGNAL_CHECK);
        Ok(Self { parker, longest })
    }

    /// Sleep until woken, or for `left`; `None`: as long as it takes. May return before.
    pub(super) fn sleep(&self, py: Python<'_>, left: Option<Duration>) -> PyResult<()> {
        let longest = match (left, self.longest) {
            (Some(left), Some(longest)) => Some(left.min(longest)),
            (left, longest) => left.or(longest),
        };
        py.detach(|| self.parker.park(longest));
        py.check_signals()
    }
}
