//! What the verbs that take time return: a coroutine that is no truth value.

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// What is asked of a coroutine by event loops, debuggers and `inspect`.
const TOLD: [&str; 8] = [
    "__name__",
    "__qualname__",
    "cr_await",
    "cr_code",
    "cr_frame",
    "cr_origin",
    "cr_running",
    "cr_suspended",
];

/// A coroutine to be awaited. Using it as a bool is a ``TypeError``: every coroutine is true.
#[pyclass(frozen, weakref, name = "Pending", module = "sluicegate._core")]
pub(in crate::python) struct PyPending {
    coroutine: Py<PyAny>,
}

#[pymethods]
impl PyPending {
    #[new]
    #[pyo3(signature = (coroutine, /))]
    fn new(coroutine: Py<PyAny>) -> Self {
        Self { coroutine }
    }

    fn __await__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.coroutine
            .bind(py)
            .call_method0(intern!(py, "__await__"))
    }

    // What drives a coroutine are its own methods, and no call goes through here: an interpreter that
    // ends kills daemon threads by unwinding, and aborts the process if that meets a frame of Rust's.

    /// Go on with it, as an event loop does; what it yields.
    #[getter]
    fn send<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.coroutine.bind(py).getattr(intern!(py, "send"))
    }

    /// Raise an exception in it; what it yields.
    #[getter]
    fn throw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.coroutine.bind(py).getattr(intern!(py, "throw"))
    }

    /// Give it up.
    #[getter]
    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.coroutine.bind(py).getattr(intern!(py, "close"))
    }

    fn __bool__(&self, py: Python<'_>) -> PyResult<bool> {
        if asked_by_asyncio(py)? {
            return Ok(true);
        }
        let name = self.coroutine.getattr(py, intern!(py, "__name__"))?;
        Err(PyTypeError::new_err(format!(
            "what {name}() returns is a coroutine, which says nothing before it is awaited: \
             write `await …{name}(…)`, in a coroutine"
        )))
    }

    /// What `isinstance` goes by: libraries ask for a coroutine of the interpreter's own class.
    #[getter]
    fn __class__<'py>(&self, py: Python<'py>) -> Bound<'py, PyType> {
        self.coroutine.bind(py).get_type()
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        if TOLD.contains(&name) {
            return self.coroutine.bind(py).getattr(name);
        }
        Err(PyAttributeError::new_err(format!(
            "'coroutine' object has no attribute '{name}'"
        )))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.coroutine.bind(py).repr()?.to_string())
    }

    #[expect(clippy::unused_self, reason = "Python calls it as a method")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a coroutine can be neither copied nor pickled",
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.coroutine)
    }
}

/// Whether it is asyncio that asks. From Python 3.12 on the `repr` of a task does: `if task._coro`.
fn asked_by_asyncio(py: Python<'_>) -> PyResult<bool> {
    let frame = py.import(intern!(py, "sys"))?.call_method0("_getframe")?;
    let module = frame.getattr("f_globals")?.get_item("__name__");
    let module: String = module.and_then(|name| name.extract()).unwrap_or_default();
    Ok(module == "asyncio" || module.starts_with("asyncio."))
}
