//! `Quota`.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use super::arguments::{Given, int_up_to, shown, window, wrong_type};
use crate::clock::seconds;
use crate::quota::{Quota, REQUESTS, Terms};

/// How much, in what time: a value, which prints as its text.
///
/// ``Quota("5/second")``, ``Quota("300 per 5 minutes")``, ``Quota("10/second burst 20")``,
/// ``Quota("40000 tokens/minute")``, ``Quota("1000/day in America/Los_Angeles")``,
/// ``Quota("5 concurrent")`` and ``Quota("unlimited")``; or by numbers: ``Quota(300, 300.0)``,
/// ``Quota(10, 1, burst=20)``, ``Quota(concurrent=5)``. Everything that takes a limit and a window
/// takes a quota or its text instead.
///
/// The grammar: ``amount [unit] / [n] period`` (``per`` is ``/``), periods are ``second``,
/// ``minute``, ``hour``, ``day`` and ``week`` (plurals, ``s m h d``). ``burst n`` behind it makes it
/// a token bucket that holds ``n``, of which there may be fewer than the amount. ``in ZONE`` makes it
/// a calendar window: the days, weeks (from Monday), months or years of that time zone, summer time
/// and all; a ``month`` or ``year`` needs one. Numbers may be grouped by ``_``, and ``n`` may have
/// decimals.
///
/// Immutable, hashable, equal by value, pickled by its text. One quota is one part: see
/// ``parse_all`` for a text of several.
///
/// Raises ``ValueError`` or ``TypeError`` that quotes the part, says what is wrong and shows a right
/// one: amounts are 1 to 4,294,967,295, windows 0.000001 to 1,000,000,000 seconds.
#[pyclass(
    frozen,
    eq,
    hash,
    name = "Quota",
    module = "sluicegate",
    from_py_object
)]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PyQuota(pub(super) Quota);

/// The quota that `value` is, or is the text of; `None` for what is neither.
pub(super) fn quota(value: &Bound<'_, PyAny>) -> PyResult<Option<Quota>> {
    if let Ok(quota) = value.cast::<PyQuota>() {
        return Ok(Some(quota.get().0.clone()));
    }
    let Ok(text) = value.cast::<PyString>() else {
        return Ok(None);
    };
    Ok(Some(text.to_string_lossy().parse()?))
}

/// What a cost counts under the quota that `value` is, if it is one.
pub(super) fn unit(value: Option<&Bound<'_, PyAny>>) -> PyResult<Arc<str>> {
    let quota = value.map_or(Ok(None), quota)?;
    Ok(quota.map_or(REQUESTS.into(), |quota| quota.unit))
}

/// [`quota`], which says it all: beside it no other argument means anything. A text that is no quota
/// is none of ours if there are others.
pub(super) fn quota_alone(
    value: &Bound<'_, PyAny>,
    others: &[(Option<&Bound<'_, PyAny>>, &str)],
) -> PyResult<Option<Quota>> {
    let other = others
        .iter()
        .find_map(|(other, name)| Some((other.as_ref()?, name)));
    let Some((other, name)) = other else {
        return quota(value);
    };
    match quota(value) {
        Ok(Some(_)) => Err(PyTypeError::new_err(format!(
            "{name} means nothing beside a quota such as '100/minute': leave it out, got {}",
            shown(other)
        ))),
        _ => Ok(None),
    }
}

const RIGHT: &str = "its text, as '5/second', or a limit with a window, as Quota(300, 300.0), or \
                     permits, as Quota(concurrent=5); what has no limit is 'unlimited'";

fn two_ways() -> PyErr {
    PyTypeError::new_err(format!("a Quota needs one of these: {RIGHT}"))
}

#[pymethods]
impl PyQuota {
    #[new]
    #[pyo3(
        signature = (limit=Given::Nothing, window_seconds=Given::Nothing, burst=None, unit=None, *, concurrent=None),
        text_signature = "(limit=..., window_seconds=..., burst=None, unit='requests', *, concurrent=...)"
    )]
    fn new(
        limit: Given<'_>,
        window_seconds: Given<'_>,
        burst: Option<&Bound<'_, PyAny>>,
        unit: Option<&Bound<'_, PyAny>>,
        concurrent: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let others = burst.is_some() || unit.is_some();
        match (limit.value(), window_seconds.value(), concurrent) {
            (None, None, Some(permits)) if !others => {
                let permits = int_up_to(permits, "concurrent", 1, u32::MAX)?;
                Ok(Self(Quota::new(Terms::Concurrent(permits))))
            }
            (Some(text), None, None) if !others => match quota(&text)? {
                Some(quota) => Ok(Self(quota)),
                None => Err(wrong_type("quota", RIGHT, &text)),
            },
            (Some(limit), Some(window_seconds), None) => {
                let limit = int_up_to(&limit, "limit", 1, u32::MAX)?;
                let window = window(&window_seconds)?;
                let burst = burst.map(|burst| int_up_to(burst, "burst", 1, u32::MAX));
                let unit = unit.map_or(Ok(REQUESTS.into()), unit_name)?;
                Ok(Self(Quota::rate(limit, window, burst.transpose()?, &unit)?))
            }
            _ => Err(two_ways()),
        }
    }

    /// The quotas of a text whose parts stand between ``;``, ``,`` or ``|``, in their order:
    /// ``Quota.parse_all("5/second; 300/minute")``.
    ///
    /// Raises ``ValueError`` with the part that is wrong, ``TypeError`` for what is no ``str``.
    #[staticmethod]
    fn parse_all<'py>(py: Python<'py>, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
        let Ok(text) = text.cast::<PyString>() else {
            return Err(wrong_type(
                "text",
                "a str such as '5/second; 300/minute'",
                text,
            ));
        };
        let parts = Quota::parse_all(&text.to_string_lossy())?;
        PyTuple::new(py, parts.into_iter().map(Self))
    }

    /// Units in a window, or permits; ``None`` for ``"unlimited"``.
    #[getter]
    fn limit(&self) -> Option<u32> {
        match self.0.terms {
            Terms::Bucket { amount, .. } => Some(amount),
            _ => self.0.limit(),
        }
    }

    /// The window's length in seconds: of a calendar's periods the longest (31 days for months).
    /// ``None`` for permits and ``"unlimited"``.
    #[getter]
    fn window_seconds(&self) -> Option<f64> {
        self.0.window().map(seconds)
    }

    /// The most that passes at once, where it is a token bucket; else ``None``.
    #[getter]
    fn burst(&self) -> Option<u32> {
        match self.0.terms {
            Terms::Bucket { burst, .. } => Some(burst),
            _ => None,
        }
    }

    /// What a cost counts: ``"requests"`` unless the quota names something else.
    #[getter]
    fn unit(&self) -> &str {
        &self.0.unit
    }

    /// How many at the same time, where it is of permits; else ``None``.
    #[getter]
    fn concurrent(&self) -> Option<u32> {
        match self.0.terms {
            Terms::Concurrent(permits) => Some(permits),
            _ => None,
        }
    }

    /// How many at the same time. Raises ``ValueError`` for a quota that is not of permits.
    fn _permits(&self) -> PyResult<u32> {
        Ok(self.0.permits()?.limit)
    }

    /// The time zone of a calendar window, by its IANA name; else ``None``.
    #[getter]
    fn zone(&self) -> Option<&str> {
        match &self.0.terms {
            Terms::Calendar { calendar, .. } => Some(calendar.zone()),
            _ => None,
        }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (String,)) {
        (slf.get_type(), (slf.get().0.to_string(),))
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Quota('{}')", self.0)
    }
}

fn unit_name(unit: &Bound<'_, PyAny>) -> PyResult<String> {
    match unit.cast::<PyString>() {
        Ok(unit) => Ok(unit.to_string_lossy().into_owned()),
        Err(_) => Err(wrong_type("unit", "a str such as 'tokens'", unit)),
    }
}
