//! A key's own quota, as the limiters' verbs take it.

use std::borrow::Cow;

use pyo3::prelude::*;

use super::arguments::wrong_type;
use super::quota::{PyQuota, quota};
use crate::error::Result;
use crate::quota::{Quota, Terms};

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
            None => return Err(wrong_type("quota", "a Quota or its text", given)),
        },
    };
    counts(&quota, unit)?;
    Ok(Some(quota))
}

/// Whether what is given counts `unit`, if it is a quota.
pub(super) fn of_unit(given: &Bound<'_, PyAny>, unit: &str) -> PyResult<()> {
    match quota(given)? {
        Some(quota) => Ok(counts(&quota, unit)?),
        None => Ok(()),
    }
}

fn counts(quota: &Quota, unit: &str) -> Result<()> {
    let has_none = matches!(quota.terms, Terms::Concurrent(_) | Terms::Unlimited);
    if has_none || *quota.unit == *unit {
        return Ok(()); // what has none is not for a limiter of units
    }
    let right = Quota {
        unit: unit.into(),
        ..quota.clone()
    };
    Err(quota.unfit(&format!("this limiter counts {unit}: write '{right}'")))
}
