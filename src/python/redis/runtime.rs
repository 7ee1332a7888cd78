//! Coroutines for calls that are rare, over the thread that talks to servers anyway.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use pyo3_async_runtimes::generic::{self, ContextExt, JoinError, Runtime};
use pyo3_async_runtimes::{TaskLocals, get_running_loop};
use tokio::task::{JoinError as TokioJoinError, JoinHandle};

use super::inside;
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
        let work = || inside::within(work);
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

/// Before the interpreter ends.
#[pyfunction]
fn end(py: Python<'_>) {
    inside::end(py);
}

/// Have `end` called before the interpreter ends.
pub(super) fn end_with_the_interpreter(py: Python<'_>) -> PyResult<()> {
    static REGISTERED: PyOnceLock<()> = PyOnceLock::new();
    REGISTERED
        .get_or_try_init(py, || {
            let end = wrap_pyfunction!(end, py)?;
            py.import("atexit")?.call_method1("register", (end,))?;
            Ok(())
        })
        .copied()
}

/// An event loop that is told nothing once it has closed: then nobody waits for the answer, and
/// pyo3-async-runtimes would print that it could not be given.
#[pyclass(frozen)]
struct LoopOrNothing(Py<PyAny>);

#[pymethods]
impl LoopOrNothing {
    fn create_future<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.bind(py).call_method0("create_future")
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn call_soon_threadsafe(
        &self,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let event_loop = self.0.bind(args.py());
        match event_loop.call_method("call_soon_threadsafe", args, kwargs) {
            Err(error) if error.is_instance_of::<PyRuntimeError>(args.py()) => {
                let closed = event_loop.call_method0("is_closed")?.is_truthy()?;
                if closed { Ok(()) } else { Err(error) }
            }
            told => told.map(drop),
        }
    }
}

/// A coroutine's awaitable for `future`, which must not need the interpreter itself.
pub(super) fn awaitable<T>(
    py: Python<'_>,
    future: impl Future<Output = PyResult<T>> + Send + 'static,
) -> PyResult<Bound<'_, PyAny>>
where
    T: for<'py> IntoPyObject<'py> + Send + 'static,
{
    if inside::is_ending() {
        return Err(PyRuntimeError::new_err(
            "the interpreter is ending: Redis is asked no more",
        ));
    }
    end_with_the_interpreter(py)?;
    let event_loop = LoopOrNothing(get_running_loop(py)?.unbind());
    let locals = TaskLocals::new(Bound::new(py, event_loop)?.into_any()).copy_context(py)?;
    generic::future_into_py_with_locals::<IoThread, _, T>(py, locals, future)
}
