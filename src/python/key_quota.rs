//! A key's own quota, as the limiters' verbs take it.

use std::borrow::Cow;

use pyo3::prelude::*;

use super::arguments::wrong_type;
use super::quota::{PyQuota, quota};
use crate::quota::Quota;

/// The quota that is given for one key of a limiter whose costs count `unit`; `None` is none.
pub(super) fn key_quota<'a>(
    given: Option<&'a Bound<'_, PyAny>>,
    unit: &str,
) -> PyResult<Option<Cow<'a, Quota>>> {
    let Some(given) = given else { return Ok(None) };
    let quota = match given.cast::<PyQuota>() {
        Ok(quota) => Cow::Borrowed(&quota.get().0),
        Err(_) => match quota(given)? {
            Some(quota) => Cow::Owned(quota),
            None => {
                return Err(wrong_type(
                    "quota",
                    "a Quota or its text, as '50/minute'",
                    given,
                ));
            }
        },
    };
    quota.counts(unit)?;
    Ok(Some(quota))
}

/// Whether what is given counts `unit`, if it is a quota.
pub(super) fn of_unit(given: &Bound<'_, PyAny>, unit: &str) -> PyResult<()> {
    match quota(given)? {
        Some(quota) => Ok(quota.counts(unit)?),
        None => Ok(()),
    }
}
