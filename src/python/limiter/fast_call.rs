//! `is_allowed` and `check` as plain descriptors, since the generic way into a method takes as
//! long as half of what it does.
//!
//! The plain call, of a `str` and perhaps a cost, is answered here. All others (a lock that is
//! held, limits that are off, an argument that is wrong) go on to the method that pyo3 made,
//! before anything is spent.

use std::any::Any;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyInt, PyString, PyTuple, PyType};
use pyo3::{PyTypeInfo, intern};

use super::PyLimiter;
use crate::clock::Ticks;
use crate::python::decision::PyDecision;
use crate::python::limits_off::limits_are_off;
use crate::python::memory::PySlidingWindowRateLimiter;
use crate::python::quota::PyQuota;
use crate::store::{Ask, Patience, Store};

const IS_ALLOWED: usize = 0;
/// The log's class has one of its own, whose key is called `client_id`.
const IS_CLIENT_ALLOWED: usize = 1;
const CHECK: usize = 2;

/// The methods that pyo3 made, which stay what is called when a call is not plain.
static GENERIC: [PyOnceLock<Py<PyAny>>; 3] = [const { PyOnceLock::new() }; 3];

/// Replace them, of [`PyLimiter`] and the classes derived from it.
pub(in crate::python) fn install(py: Python<'_>) -> PyResult<()> {
    replace::<IS_ALLOWED>(&PyLimiter::type_object(py), "is_allowed")?;
    replace::<CHECK>(&PyLimiter::type_object(py), "check")?;
    replace::<IS_CLIENT_ALLOWED>(&PySlidingWindowRateLimiter::type_object(py), "is_allowed")
}

/// What a method answers; `None` if nothing has been done.
#[inline]
fn answer<'py, const METHOD: usize>(
    py: Python<'py>,
    store: &dyn Store,
    ask: Ask<'_>,
    now: Ticks,
) -> Option<PyResult<Bound<'py, PyAny>>> {
    if METHOD == CHECK {
        let decision = store.check(ask, Some(now), Patience::Try).ok()?;
        return Some(Bound::new(py, PyDecision::from(decision)).map(Bound::into_any));
    }
    let allowed = store.is_allowed(ask, Some(now), Patience::Try).ok()?;
    Some(Ok(PyBool::new(py, allowed).to_owned().into_any()))
}

/// The descriptor's function.
///
/// # Safety
/// Called by the interpreter, which has seen to it that `object` is of the descriptor's class.
unsafe extern "C" fn method<const METHOD: usize>(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls; it has `count` arguments, and one more for each name.
    let (py, call) = unsafe {
        let py = Python::assume_attached();
        (py, PyCall::new(py, object, arguments, count, names))
    };
    let answer = catch_unwind(AssertUnwindSafe(|| {
        call.plain::<METHOD>()
            .unwrap_or_else(|| call.generic::<METHOD>())
    }));
    match answer.unwrap_or_else(|panic| Err(panicked(&*panic))) {
        Ok(answer) => answer.into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

type Argument<'a, 'py> = Borrowed<'a, 'py, PyAny>;

/// A key, a cost and perhaps a quota.
type Plain<'a, 'py> = (
    &'a Argument<'a, 'py>,
    u32,
    Option<Borrowed<'a, 'py, PyQuota>>,
);

/// The arguments of one call.
struct PyCall<'a, 'py> {
    object: Borrowed<'a, 'py, PyAny>,
    positional: &'a [Borrowed<'a, 'py, PyAny>],
    named: &'a [Borrowed<'a, 'py, PyAny>],
    names: Option<Borrowed<'a, 'py, PyTuple>>,
}

impl<'a, 'py> PyCall<'a, 'py> {
    /// # Safety
    /// As for a function of the kind `METH_FASTCALL` with `METH_KEYWORDS`, called by the interpreter.
    #[inline]
    unsafe fn new(
        py: Python<'py>,
        object: *mut ffi::PyObject,
        arguments: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> Self {
        let slice = |from: usize, length: usize| {
            if length == 0 {
                return &[][..];
            }
            // SAFETY: a Borrowed is a pointer that is not null.
            unsafe {
                std::slice::from_raw_parts(
                    arguments.cast::<Borrowed<'_, '_, _>>().add(from),
                    length,
                )
            }
        };
        let count = count.unsigned_abs();
        // SAFETY: all are alive until the call returns; `names` is a tuple of str or null.
        unsafe {
            let names =
                Borrowed::from_ptr_or_opt(py, names).map(|names| names.cast_unchecked::<PyTuple>());
            Self {
                object: Borrowed::from_ptr(py, object),
                positional: slice(0, count),
                named: slice(count, names.map_or(0, |names| names.len())),
                names,
            }
        }
    }

    /// The answer to a plain call that can be answered at once.
    #[inline]
    fn plain<const METHOD: usize>(&self) -> Option<PyResult<Bound<'py, PyAny>>> {
        let py = self.object.py();
        let (key, cost, quota) = match (self.positional, self.names) {
            ([key], None) => (key, 1, None),
            ([key, cost], None) => (key, plain_cost(*cost)?, None),
            (positional, Some(names)) => self.plain_names(positional, names)?,
            _ => return None,
        };
        if limits_are_off() {
            return None;
        }
        // SAFETY: the descriptor belongs to this class or one derived from it.
        let limiter = unsafe { self.object.cast_unchecked::<PyLimiter>() }.get();
        let quota = quota.as_ref().map(|quota| &quota.get().0);
        if quota.is_some_and(|quota| quota.unit != limiter.unit) {
            return None;
        }
        let store = &*limiter.store;
        let now = store.now();
        let key = key.cast_exact::<PyString>().ok()?;
        let key = store.fingerprint(key.to_str().ok()?.as_bytes());
        answer::<METHOD>(py, store, Ask { key, cost, quota }, now)
    }

    /// The arguments of a call by names: a key, a cost, a quota that is no text.
    #[inline(never)]
    fn plain_names(
        &self,
        positional: &'a [Argument<'a, 'py>],
        names: Borrowed<'_, 'py, PyTuple>,
    ) -> Option<Plain<'a, 'py>> {
        let (key, mut cost) = match positional {
            [key] => (key, None),
            [key, cost] => (key, Some(plain_cost(*cost)?)),
            _ => return None,
        };
        let mut quota = None;
        for (place, value) in self.named.iter().enumerate() {
            let name = names.get_borrowed_item(place).ok()?;
            // Names in calls are interned, as these are; one that is not goes the generic way.
            if cost.is_none() && name.is(intern!(names.py(), "cost")) {
                cost = Some(plain_cost(*value)?);
            } else if name.is(intern!(names.py(), "quota")) {
                quota = Some(value.cast_exact::<PyQuota>().ok()?);
            } else {
                return None;
            }
        }
        Some((key, cost.unwrap_or(1), quota))
    }

    #[cold]
    fn generic<const METHOD: usize>(&self) -> PyResult<Bound<'py, PyAny>> {
        let py = self.object.py();
        let all: Vec<_> = std::iter::once(self.object)
            .chain(self.positional.iter().copied())
            .collect();
        let names = PyDict::new(py);
        for (name, value) in self
            .names
            .iter()
            .flat_map(|names| names.iter())
            .zip(self.named)
        {
            names.set_item(name, value)?;
        }
        let generic = GENERIC[METHOD]
            .get(py)
            .expect("set when the method was replaced");
        generic.bind(py).call(PyTuple::new(py, all)?, Some(&names))
    }
}

/// A cost that is an `int` within `u32`.
#[inline]
fn plain_cost(cost: Borrowed<'_, '_, PyAny>) -> Option<u32> {
    let cost = cost.cast_exact::<PyInt>().ok()?.extract::<u32>().ok()?;
    (cost > 0).then_some(cost)
}

fn panicked(panic: &(dyn Any + Send)) -> PyErr {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or(panic.downcast_ref::<String>().map(String::as_str));
    PanicException::new_err(said.unwrap_or("panicked").to_owned())
}

/// Put the fast descriptor before the method of that name, with the same signature and text.
fn replace<const METHOD: usize>(class: &Bound<'_, PyType>, name: &str) -> PyResult<()> {
    let generic = class.getattr(name)?;
    let signature = generic.getattr("__text_signature__")?;
    let text = generic.getattr("__doc__")?;
    let documentation = format!("{name}{signature}\n--\n\n{text}");
    // As long as the class lives, which is as long as the process.
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: CString::new(name)?.into_raw(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: method::<METHOD>,
        },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: CString::new(documentation)?.into_raw(),
    }));
    // SAFETY: the definition is never freed.
    let descriptor = unsafe {
        let descriptor = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
        Bound::from_owned_ptr_or_err(class.py(), descriptor)?
    };
    let _ = GENERIC[METHOD].set(class.py(), generic.unbind());
    class.setattr(name, descriptor)
}
