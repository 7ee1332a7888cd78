//! A key's own quota, as the limiters' verbs take it.

use std::borrow::Cow;

use pyo3::prelude::*;

use super::wrong_type;
use crate::python::quota::{PyQuota, quota};
use crate::quota::Quota;

/// The quota that is given for one key of a limiter whose costs count `unit`; `None` is none.
pub(in crate::python) fn key_quota<'a>(
    given: Option<&'a Bound<'_, PyAny>>,
    unit: &str,
) -> PyResult<Option<Cow<'a, Quota>>> {
    let quota = given.map(given_quota).transpose()?;
    if let Some(quota) = &quota {
        quota.counts(unit)?;
    }
    Ok(quota)
}

/// The quota that is given, whatever it counts.
pub(in crate::python) fn given_quota<'a>(given: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, Quota>> {
    if let Ok(quota) = given.cast::<PyQuota>() {
        return Ok(Cow::Borrowed(&quota.get().0));
    }
    let expected = "a Quota or its text, as '50/minute'";
    let read = quota(given)?.ok_or_else(|| wrong_type("quota", expected, given))?;
    Ok(Cow::Owned(read))
}

/// Whether what is given counts `unit`, if it is a quota.
pub(in crate::python) fn of_unit(given: &Bound<'_, PyAny>, unit: &str) -> PyResult<()> {
    match quota(given)? {
        Some(quota) => Ok(quota.counts(unit)?),
        None => Ok(()),
    }
}
