//! One limit of a gate: its quota and its algorithm.

use std::sync::Arc;

use crate::algorithm::AnyAlgorithm;
use crate::error::Result;
use crate::quota::{Quota, Terms};

/// One limit of a gate.
pub(in crate::python) struct Part {
    pub(in crate::python) name: Arc<str>,
    /// Its place among what limits count by, and among the units.
    pub(in crate::python) by: usize,
    pub(in crate::python) unit: usize,
    pub(in crate::python) quota: Quota,
    pub(in crate::python) algorithm: AnyAlgorithm,
    pub(in crate::python) is_shadow: bool,
    /// Whether its key may be left out.
    pub(super) is_optional: bool,
}

impl Part {
    pub(in crate::python) fn are_permits(&self) -> bool {
        matches!(self.quota.terms, Terms::Concurrent(_))
    }
}

/// The quota under the algorithm that goes by `name`.
pub(super) fn named(name: &str, quota: &Quota) -> Result<AnyAlgorithm> {
    Ok(match name {
        "permits" => AnyAlgorithm::Permits(quota.permits()?),
        "token_bucket" => AnyAlgorithm::TokenBucket(quota.bucket()?),
        _ => quota.windowed(name)?,
    })
}
