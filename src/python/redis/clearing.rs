//! All keys of limiters are forgotten: what takes a walk through the servers' keys.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use redis::Value;

use super::blocking;
use super::lazy_route::LazyRoute;
use super::runtime::awaitable;
use super::values::store_error;
use crate::store::redis::{Failure, KeyNames, RedisLimiter, Reply, Sought};

/// The limiters, and what is sought of theirs.
#[derive(Clone)]
struct Clearing {
    limiters: Arc<[Arc<RedisLimiter>]>,
    sought: Sought,
    timeout: Duration,
}

impl Clearing {
    /// It is forgotten here at once.
    fn begun(limiters: Vec<Arc<RedisLimiter>>) -> PyResult<Self> {
        let names: Vec<KeyNames> = limiters.iter().map(|each| each.names().clone()).collect();
        let Some(sought) = Sought::new(names) else {
            return Err(PyValueError::new_err(
                "clear must know keys by what they begin with, got prefix='': give the limiter a prefix",
            ));
        };
        for limiter in &limiters {
            limiter.forget_all();
        }
        Ok(Self {
            timeout: limiters[0].timeout(),
            limiters: limiters.into(),
            sought,
        })
    }

    fn ended(&self) {
        for limiter in &*self.limiters {
            limiter.forget_all_again();
        }
    }
}

/// An awaitable, which ends when all keys of these limiters are forgotten.
pub(super) fn begun<'py>(
    py: Python<'py>,
    route: &LazyRoute,
    limiters: Vec<Arc<RedisLimiter>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (route, clearing) = (route.get()?, Clearing::begun(limiters)?);
    awaitable(py, async move {
        let said = route.clear(&clearing.sought, clearing.timeout).await;
        clearing.ended();
        Ok(Cleared(said))
    })
}

/// Forget all keys of these limiters. Blocks this thread until then.
pub(super) fn asked(
    py: Python<'_>,
    route: &LazyRoute,
    limiters: Vec<Arc<RedisLimiter>>,
) -> PyResult<()> {
    let clearing = Clearing::begun(limiters)?;
    loop {
        let mut walk = None;
        let answers = blocking::settled(py, route, 1, |route, sink| {
            let (sought, timeout) = (clearing.sought.clone(), clearing.timeout);
            let clearing = clearing.clone();
            walk = Some(route.begin_clear(sought, timeout, move |said| {
                clearing.ended();
                sink.settle(vec![(0, said.map(|()| Reply::Value(Value::Nil)))]);
            }));
        });
        match (answers, walk) {
            (Ok(Some(answers)), _) => {
                let failed = answers.into_iter().find_map(Result::err);
                return failed.map_or(Ok(()), |failure| Err(store_error(py, &failure)));
            }
            (Ok(None), _) => {} // in a forked child: once more
            (Err(error), walk) => {
                if let Some(walk) = walk {
                    walk.abort();
                }
                return Err(error);
            }
        }
    }
}

/// What came of it.
struct Cleared(Result<(), Failure>);

impl<'py> IntoPyObject<'py> for Cleared {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.map_err(|failure| store_error(py, &failure))?;
        Ok(py.None().into_bound(py))
    }
}
