//! What is in a zone, for the command line: only read, and told as a dict.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::place::refused;
use crate::clock::seconds;
use crate::store::zone::{Kind, LimitReport, Report};

/// What is in the zone at ``path``, which is only read; :mod:`sluicegate._zone.found` says what of it
/// means what. Other threads run meanwhile: it looks at each slot.
///
/// Raises ``StoreError`` for what is no zone, or cannot be read.
#[pyfunction]
#[pyo3(signature = (path))]
#[expect(clippy::needless_pass_by_value, reason = "what Python gives")]
pub(in crate::python) fn inspect_zone(
    py: Python<'_>,
    path: PathBuf,
) -> PyResult<Bound<'_, PyDict>> {
    let report = py
        .detach(|| Report::of(&path))
        .map_err(|refusal| refused(py, &refusal))?;
    let limits = PyList::empty(py);
    for limit in &report.limits {
        limits.append(told(py, limit)?)?;
    }
    let found = PyDict::new(py);
    found.set_item("path", &report.path)?;
    found.set_item("size_bytes", report.length)?;
    found.set_item("slots", report.slots)?;
    found.set_item("used", report.slots - report.free)?;
    found.set_item("age_seconds", age(report.created))?;
    found.set_item("owner", report.owner)?;
    found.set_item("mode", report.mode)?;
    found.set_item("is_of_this_boot", report.is_of_this_boot)?;
    found.set_item("is_manual", report.is_manual)?;
    found.set_item("limits", limits)?;
    Ok(found)
}

fn told<'py>(py: Python<'py>, limit: &LimitReport) -> PyResult<Bound<'py, PyDict>> {
    let told = PyDict::new(py);
    let window = (limit.window > 0).then(|| seconds(limit.window));
    // As much as a counter of so many bits holds.
    let largest = (limit.kind == Kind::SegmentedWindow)
        .then(|| u32::MAX.unbounded_shr(u32::BITS.saturating_sub(limit.bits.into())));
    told.set_item("name", &limit.name)?;
    told.set_item("algorithm", name_of(limit.kind))?;
    told.set_item("window_seconds", window)?;
    told.set_item("largest", largest)?;
    told.set_item("live", limit.live)?;
    told.set_item("idle", limit.idle)?;
    told.set_item("overflowed", limit.overflowed)?;
    Ok(told)
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::FixedWindow => "fixed_window",
        Kind::SegmentedWindow => "segmented_window",
        Kind::SlidingCounter => "sliding_counter",
        Kind::TokenBucket => "token_bucket",
        Kind::Permits => "permits",
    }
}

/// Seconds since a Unix time in nanoseconds; 0 where the clock has been put back since.
fn age(created: u64) -> f64 {
    let created = UNIX_EPOCH + Duration::from_nanos(created);
    SystemTime::now()
        .duration_since(created)
        .unwrap_or_default()
        .as_secs_f64()
}
