//! Coroutines for calls that are rare, over the thread that talks to servers anyway.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pyo3::prelude::*;
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{self, ContextExt, JoinError, Runtime};
use tokio::task::{JoinError as TokioJoinError, JoinHandle};

use crate::store::redis::handle;

tokio::task_local! {
    static LOCALS: TaskLocals;
}

/// The runtime of this process, whichever it was forked from.
struct IoThread;

pub(super) struct Failed(TokioJoinError);

impl JoinError for Failed {
    fn is_panic(&self) -> bool {
        self.0.is_panic()
    }

    fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        self.0.into_panic()
    }
}

/// A task; one that could not be started has ended.
pub(super) struct Task(Option<JoinHandle<()>>);

impl Future for Task {
    type Output = Result<(), Failed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Some(task) => Pin::new(task).poll(context).map_err(Failed),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Runtime for IoThread {
    type JoinError = Failed;
    type JoinHandle = Task;

    fn spawn<F>(future: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Task(handle().ok().map(|handle| handle.spawn(future)))
    }

    fn spawn_blocking<F>(work: F) -> Task
    where
        F: FnOnce() + Send + 'static,
    {
        Task(handle().ok().map(|handle| handle.spawn_blocking(work)))
    }
}

impl ContextExt for IoThread {
    fn scope<F, R>(locals: TaskLocals, future: F) -> Pin<Box<dyn Future<Output = R> + Send>>
    where
        F: Future<Output = R> + Send + 'static,
    {
        Box::pin(LOCALS.scope(locals, future))
    }

    fn get_task_locals() -> Option<TaskLocals> {
        LOCALS.try_with(Clone::clone).ok()
    }
}

/// A coroutine's awaitable for `future`.
pub(super) fn awaitable<T>(
    py: Python<'_>,
    future: impl Future<Output = PyResult<T>> + Send + 'static,
) -> PyResult<Bound<'_, PyAny>>
where
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    generic::future_into_py::<IoThread, _, T>(py, future)
}
