//! Python arguments, checked. What is wrong is named with its value and its range.

pub(super) mod key_quota;
pub(super) mod refund;

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

use crate::clock::{LONGEST_SPAN, SECOND, Ticks, seconds as seconds_of};
use crate::error::Error;
use crate::quota::{self, grouped};
use crate::store::{Fingerprint, Stop, Store};

impl From<Stop> for PyErr {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Invalid(error) => (*error).into(),
            Stop::Locked => PyRuntimeError::new_err("a lock is held"),
        }
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::WouldNeverWake => PyRuntimeError::new_err(error.to_string()),
            _ => PyValueError::new_err(error.to_string()),
        }
    }
}

/// The fingerprint of a key, which may be any `str`.
#[inline]
pub(super) fn key(store: &dyn Store, key: &Bound<'_, PyAny>) -> PyResult<Fingerprint> {
    with_bytes(key, |bytes| store.fingerprint(bytes))
}

/// A key's bytes, which differ for any two `str`.
pub(super) fn key_bytes(key: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    with_bytes(key, <[u8]>::to_vec)
}

#[inline]
pub(super) fn with_bytes<T>(
    key: &Bound<'_, PyAny>,
    use_bytes: impl FnOnce(&[u8]) -> T,
) -> PyResult<T> {
    // Most are of the class itself, which is quicker to see.
    let text = key.cast_exact::<PyString>().or_else(|_| key.cast());
    match text.map(PyStringMethods::to_str) {
        Ok(Ok(text)) => Ok(use_bytes(text.as_bytes())),
        Ok(Err(_)) => {
            // Lone surrogates have no UTF-8; these bytes are no valid UTF-8, so they stay apart.
            let bytes = key.call_method1("encode", ("utf-8", "surrogatepass"))?;
            Ok(use_bytes(bytes.extract()?))
        }
        Err(_) => Err(wrong_type("key", "a str", key)),
    }
}

/// A cost: an int of at least 1. The store knows the limit.
#[derive(Clone, Copy)]
pub(super) struct Cost(pub(super) u32);

impl<'a, 'py> FromPyObject<'a, 'py> for Cost {
    type Error = PyErr;

    #[inline]
    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        // Nothing above u32::MAX fits any limit; the store names the limit in its message.
        Ok(Self(int(&value, "cost", 1, u32::MAX, "the limit")?))
    }
}

/// An argument that may be left out. `None` is not left out: no limit must come of it.
pub(super) enum Given<'py> {
    Nothing,
    Value(Bound<'py, PyAny>),
}

impl<'py> Given<'py> {
    pub(super) fn value(self) -> Option<Bound<'py, PyAny>> {
        match self {
            Self::Nothing => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Given<'py> {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self::Value(value.to_owned()))
    }
}

/// An int within a range. `most_named` says in words what `most` is.
#[inline]
pub(super) fn int(
    value: &Bound<'_, PyAny>,
    name: &str,
    least: u32,
    most: u32,
    most_named: &str,
) -> PyResult<u32> {
    if !value.is_instance_of::<PyInt>() || value.is_instance_of::<PyBool>() {
        return Err(wrong_type(name, "an int", value));
    }
    match value.extract::<u32>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(PyValueError::new_err(format!(
            "{name} must be an int from {least} to {most_named}, got {}",
            shown(value)
        ))),
    }
}

/// An int within a range that ends in a number.
pub(super) fn int_up_to(
    value: &Bound<'_, PyAny>,
    name: &str,
    least: u32,
    most: u32,
) -> PyResult<u32> {
    int(value, name, least, most, &grouped(most))
}

/// An int or a float, as a float; no bool and no text.
pub(super) fn number(value: &Bound<'_, PyAny>, name: &str) -> PyResult<f64> {
    let numeric = value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>();
    if !numeric || value.is_instance_of::<PyBool>() {
        return Err(wrong_type(name, "an int or a float", value));
    }
    // An int too large for a float is as far out of every range as infinity.
    value.extract().or_else(|_| {
        let negative = value.lt(0)?;
        Ok(if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        })
    })
}

/// A window in seconds, in ticks.
pub(super) fn window(value: &Bound<'_, PyAny>) -> PyResult<Ticks> {
    let seconds = number(value, "window_seconds")?;
    quota::window(seconds).map_err(|_| {
        PyValueError::new_err(format!(
            "window_seconds must be a number of seconds from 0.000001 to 1,000,000,000, got {}",
            shown(value)
        ))
    })
}

/// A span of seconds from 0 to `most` ticks, in ticks, rounded to the nearest.
#[expect(
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "checked to lie within 0 and `most`, below 2^53"
)]
pub(super) fn span(value: &Bound<'_, PyAny>, name: &str, most: Ticks) -> PyResult<Ticks> {
    let seconds = number(value, name)?;
    let ticks = (seconds * SECOND as f64).round();
    if (0.0..=most as f64).contains(&ticks) && seconds >= 0.0 {
        return Ok(ticks as Ticks);
    }
    Err(PyValueError::new_err(format!(
        "{name} must be a number of seconds from 0 to {}, got {}",
        seconds_of(most),
        shown(value)
    )))
}

/// How long to wait: `None` and infinity are for ever.
pub(super) fn timeout(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Ticks>> {
    match value {
        None => Ok(None),
        Some(value) if number(value, "timeout")? == f64::INFINITY => Ok(None),
        Some(value) => span(value, "timeout", LONGEST_SPAN).map(Some),
    }
}

pub(super) fn wrong_type(name: &str, expected: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let kind = value
        .get_type()
        .name()
        .map_or_else(|_| "?".into(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "{name} must be {expected}, got {kind} {}",
        shown(value)
    ))
}

/// A value for a message: its repr, cut short.
pub(super) fn shown(value: &Bound<'_, PyAny>) -> String {
    const LONGEST: usize = 60;
    let text = value.repr().map_or_else(
        |_| "<unprintable>".into(),
        |text| text.to_string_lossy().into_owned(),
    );
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain("…".chars()).collect()
}
