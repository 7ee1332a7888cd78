//! Permits in this process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::algorithm::Permits;
use crate::clock::Clock;
use crate::error::Error;
use crate::python::arguments::{self, int_up_to};
use crate::python::limits_off::limits_are_off;
use crate::python::patiently;
use crate::python::permit::{Held, PermitStore, PyPermit, Turn};
use crate::python::quota::quota;
use crate::python::waiting::{PyBells, Sleeper};
use crate::store::{
    self, Ask, Joined, MemoryStore, Options, Overflow, Parker, Queues, Stop, Store, Wake,
};

/// The permits of many keys, in this process.
#[pyclass(
    subclass,
    frozen,
    weakref,
    name = "Permits",
    module = "sluicegate._core"
)]
pub(in crate::python) struct PyPermits(Arc<PermitStore>);

impl PyPermits {
    fn beside_the_limit(&self, key: &Bound<'_, PyAny>) -> PyResult<PyPermit> {
        let fingerprint = arguments::key(&*self.0, key)?;
        let held = Held::uncounted(Arc::clone(&self.0), fingerprint);
        Ok(PyPermit::here(key.clone().unbind(), held))
    }

    /// A permit if one is free, or else one that waits in the key's queue.
    fn line_up(
        &self,
        key: &Bound<'_, PyAny>,
        wake: &Arc<dyn Wake>,
    ) -> PyResult<store::Result<PyPermit>> {
        let fingerprint = arguments::key(&*self.0, key)?;
        let join = |patience| match self.0.join(Ask::new(fingerprint, 1), None, wake, patience) {
            Err(Stop::Locked) => Err(Stop::Locked),
            done => Ok(done),
        };
        let joined = patiently(key.py(), join)?;
        let store = Arc::clone(&self.0);
        Ok(joined.map(|joined| {
            let held = match joined {
                Joined::Settled(_, now) => Held::taken(store, fingerprint, now),
                Joined::Queued { ticket, .. } => Held::waiting(store, &ticket),
            };
            PyPermit::here(key.clone().unbind(), held)
        }))
    }
}

#[pymethods]
impl PyPermits {
    #[new]
    fn new(limit: &Bound<'_, PyAny>) -> PyResult<Self> {
        let permits = match quota(limit)? {
            Some(quota) => quota.permits()?,
            None => Permits {
                limit: int_up_to(limit, "limit", 1, u32::MAX)?,
                lease: 0,
            },
        };
        let options = Options {
            max_keys: usize::MAX,
            overflow: Overflow::Share,
            clock: Clock::system(),
        };
        Ok(Self(MemoryStore::new(&permits, options)))
    }

    /// How many permits a key has.
    #[getter]
    fn limit(&self) -> u32 {
        self.0.limit()
    }

    /// A permit, or ``None`` if none is free now. Release it, or use it in a ``with``.
    ///
    /// Raises ``TypeError`` if ``key`` is no str.
    #[pyo3(signature = (key))]
    fn try_acquire(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<Option<PyPermit>> {
        if limits_are_off() {
            return self.beside_the_limit(key).map(Some);
        }
        let fingerprint = arguments::key(&*self.0, key)?;
        let taken_at = patiently(py, |patience| self.0.take(fingerprint, patience))?;
        Ok(taken_at.map(|at| {
            let held = Held::taken(Arc::clone(&self.0), fingerprint, at);
            PyPermit::here(key.clone().unbind(), held)
        }))
    }

    /// How many permits of ``key`` are held now.
    #[pyo3(signature = (key))]
    fn in_use(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<u32> {
        let key = arguments::key(&*self.0, key)?;
        Ok(patiently(py, |patience| self.0.in_use(key, patience))?.0)
    }

    /// Keys of which a permit is held.
    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[expect(
        clippy::unused_self,
        reason = "one of which nobody holds a permit is still one"
    )]
    fn __bool__(&self) -> bool {
        true
    }

    /// How many callers wait for a permit of a key.
    fn _waiting(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<u32> {
        let key = arguments::key(&*self.0, key)?;
        Ok(patiently(py, |patience| self.0.in_use(key, patience))?.1)
    }

    /// A permit that counts for nothing.
    fn _uncounted(&self, key: &Bound<'_, PyAny>) -> PyResult<PyPermit> {
        self.beside_the_limit(key)
    }

    /// A permit if one is free, or else one that waits; the bell rings when it may have come.
    fn _join(&self, key: &Bound<'_, PyAny>, bells: &PyBells, number: u64) -> PyResult<PyPermit> {
        Ok(self.line_up(key, &bells.bell(number))??)
    }

    /// A permit; this thread waits for it until so many seconds are over.
    fn _wait(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        seconds: f64,
    ) -> PyResult<Option<PyPermit>> {
        // More than can be added to a time is for ever.
        let seconds = Duration::try_from_secs_f64(seconds).ok();
        let until = seconds.and_then(|seconds| Instant::now().checked_add(seconds));
        loop {
            let parker = Arc::new(Parker::default());
            let sleeper = Sleeper::new(py, &parker)?;
            let wake: Arc<dyn Wake> = parker.clone();
            // Given back, if a signal handler raises.
            let permit = match self.line_up(key, &wake)? {
                // Nobody can go first while this thread is blocked.
                Err(Stop::Invalid(error)) if until.is_some() && *error == Error::WouldNeverWake => {
                    return Ok(None);
                }
                permit => permit?,
            };
            let mut turn = permit.turn(py)?;
            while turn == Turn::NotYet {
                let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                if left == Some(Duration::ZERO) {
                    return Ok(None);
                }
                sleeper.sleep(py, left)?;
                turn = permit.turn(py)?;
            }
            if turn == Turn::Come {
                return Ok(Some(permit));
            }
        }
    }
}
