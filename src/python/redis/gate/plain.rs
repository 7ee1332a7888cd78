//! Calls of a gate by the places of its limits, without names: what is tested beneath the public class.

use pyo3::prelude::*;

use super::limits::Limits;
use crate::gate::RedisAsk;
use crate::python::arguments::key_bytes;
use crate::python::arguments::key_quota::given_quota;
use crate::python::redis::renewing::THREADS;
use crate::store::redis::{Holders, Verb};

/// A limit's place, its key and cost, a permit's number and a quota of the call.
pub(super) type Asked<'py> = (
    usize,
    Bound<'py, PyAny>,
    u32,
    Option<u64>,
    Option<Bound<'py, PyAny>>,
);

pub(super) fn verb(name: &str) -> Verb {
    match name {
        "check" => Verb::Check,
        "anyway" => Verb::Anyway,
        "reset" => Verb::Reset,
        _ => Verb::Peek,
    }
}

impl Limits {
    pub(super) fn plain_asks(&self, asked: &[Asked<'_>]) -> PyResult<Vec<RedisAsk>> {
        let asks = asked.iter().map(|(limit, key, cost, number, quota)| {
            let quota = match quota {
                Some(quota) => {
                    let limiter = &self.gate.limits()[*limit].limiter;
                    Some(limiter.quota_given(given_quota(quota)?.as_ref())?)
                }
                None => None,
            };
            Ok(RedisAsk {
                limit: *limit,
                key: key_bytes(key)?,
                cost: *cost,
                quota,
                holders: Holders {
                    numbers: Vec::from_iter(*number),
                    home: THREADS,
                    quiet: false,
                },
            })
        });
        asks.collect()
    }
}
