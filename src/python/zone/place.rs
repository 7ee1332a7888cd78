//! A zone's file, opened.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};

use super::super::arguments::{int_up_to, shown, wrong_type};
use crate::store::zone::{Place, Refusal, Zone, shown_path};

/// A zone that is open in this process: a file in which all processes of a host keep what their
/// limiters have counted. Opened once for each file; made if there is none yet.
///
/// `size` in bytes is what a new one gets (10 MiB unless given: room for 323,000 keys), and must be
/// that of one that is there. `mode` are a new one's permissions, 0o600 unless given; `owner` the
/// user id to whom it must belong, this process's unless given.
///
/// Raises ``ValueError`` or ``TypeError`` for a wrong argument, and `sluicegate.StoreError` when the file, the
/// file system or the machine cannot serve, with what to do.
#[pyclass(frozen, weakref, name = "Zone", module = "sluicegate._core")]
pub(in crate::python) struct PyZone {
    pub(super) zone: Arc<Zone>,
}

#[pymethods]
impl PyZone {
    #[new]
    #[pyo3(signature = (path, *, size=None, mode=None, owner=None))]
    fn new(
        py: Python<'_>,
        path: &Bound<'_, PyAny>,
        size: Option<&Bound<'_, PyAny>>,
        mode: Option<&Bound<'_, PyAny>>,
        owner: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let Ok(file) = path.extract::<PathBuf>() else {
            return Err(wrong_type("path", "a str or a path", path));
        };
        let place = Place {
            size: size.map(bytes).transpose()?,
            mode: mode.map(permissions).transpose()?,
            owner: owner
                .map(|owner| int_up_to(owner, "owner", 0, u32::MAX - 1))
                .transpose()?,
            ..Place::at(file)
        };
        let opened = py.detach(|| Zone::open(&place));
        match opened {
            Ok(zone) => Ok(Self { zone }),
            Err(refusal) => Err(refused(py, &refusal)),
        }
    }

    /// Where its file lies.
    #[getter]
    fn path(&self) -> String {
        self.zone.path().to_string_lossy().into_owned()
    }

    /// The file's length in bytes.
    #[getter]
    fn size(&self) -> u64 {
        self.zone.size()
    }

    fn __repr__(&self) -> String {
        format!(
            "<Zone {} size={}>",
            shown_path(self.zone.path()),
            self.zone.size()
        )
    }

    #[expect(clippy::unused_self, reason = "Python calls it as a method")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a zone can be neither copied nor pickled: open it by its path",
        ))
    }
}

fn bytes(size: &Bound<'_, PyAny>) -> PyResult<u64> {
    let right = "an int of bytes, such as 10_485_760 for 10 MiB (a URL may say size=10m)";
    if !size.is_instance_of::<PyInt>() || size.is_instance_of::<PyBool>() {
        return Err(wrong_type("size", right, size));
    }
    size.extract().map_err(|_| {
        let size = shown(size);
        PyValueError::new_err(format!("size must be {right}, up to 64 GiB, got {size}"))
    })
}

fn permissions(mode: &Bound<'_, PyAny>) -> PyResult<u32> {
    if !mode.is_instance_of::<PyInt>() || mode.is_instance_of::<PyBool>() {
        let right = "an int of permissions, such as 0o660";
        return Err(wrong_type("mode", right, mode));
    }
    let found = mode.extract().ok().filter(|mode| *mode <= 0o777);
    found.ok_or_else(|| {
        let mode = shown(mode);
        PyValueError::new_err(format!(
            "mode must be permissions from 0o600 to 0o666, such as 0o660, got {mode}"
        ))
    })
}

/// `ValueError`, or `sluicegate.errors.StoreError`.
pub(super) fn refused(py: Python<'_>, refusal: &Refusal) -> PyErr {
    match refusal {
        Refusal::Argument(text) => PyValueError::new_err(text.clone()),
        Refusal::Environment(text) => {
            let class = py
                .import("sluicegate.errors")
                .and_then(|errors| errors.getattr("StoreError"));
            let error = class.and_then(|class| class.call1((text,)));
            error.map_or_else(|error| error, PyErr::from_value)
        }
    }
}
