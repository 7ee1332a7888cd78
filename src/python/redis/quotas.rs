//! The quotas of a limiter in Redis, as Python gives them: to its class, or to one call.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::algorithm::AnyAlgorithm;
use crate::python::arguments::key_quota::given_quota;
use crate::python::memory::token_bucket::PyTokenBucketConfig;
use crate::python::memory::window_or_quota;
use crate::python::quota::{PyQuota, quota};
use crate::quota::REQUESTS;
use crate::store::redis::{EncodedQuota, RedisLimiter};

/// A quota from the arguments of a class: a bucket's configuration or quota; or a limit and perhaps
/// a window, or a quota or its text in their place.
pub(super) fn algorithm(name: &str, given: &Bound<'_, PyAny>) -> PyResult<AnyAlgorithm> {
    if name == "token_bucket" {
        let config = match given.cast::<PyQuota>() {
            Ok(quota) => PyTokenBucketConfig::of(&quota.get().0)?,
            Err(_) => given.extract()?,
        };
        return Ok(AnyAlgorithm::TokenBucket(config.full_bucket()?));
    }
    let (limit, window) = match given.extract::<(Bound<'_, PyAny>,)>() {
        Ok((limit,)) => (limit, None),
        Err(_) => given
            .extract()
            .map(|(limit, window)| (limit, Some(window)))?,
    };
    window_or_quota(name, &limit, window.as_ref())
}

/// What a class's quota counts.
pub(super) fn unit(given: &Bound<'_, PyAny>) -> Arc<str> {
    let first = match given.cast::<PyTuple>() {
        Ok(arguments) => arguments.get_item(0).ok(),
        Err(_) => Some(given.clone()),
    };
    let quota = first.and_then(|first| quota(&first).ok().flatten());
    quota.map_or_else(|| REQUESTS.into(), |quota| quota.unit)
}

/// The quota that decides a call: the one that it gives, or the limiter's own.
pub(super) fn deciding(
    limiter: &RedisLimiter,
    given: Option<&Bound<'_, PyAny>>,
) -> PyResult<Arc<EncodedQuota>> {
    match given {
        None => Ok(limiter.quota()),
        Some(given) => Ok(limiter.quota_given(given_quota(given)?.as_ref())?),
    }
}
