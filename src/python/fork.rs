//! What has to happen around a fork, for `os.register_at_fork`. Locks are `crate::fork`'s.

use pyo3::prelude::*;

use crate::store::redis;

/// In the thread that is about to fork.
#[pyfunction]
#[pyo3(name = "before_fork")]
pub(super) fn before_fork(py: Python<'_>) {
    // Those who use the interpreter go first.
    #[cfg(unix)]
    super::redis::inside::before_fork(py);
    // It may wait for a store's lock, never for the interpreter, so this ends soon.
    redis::before_fork();
}

/// In the parent, after the fork.
#[pyfunction]
#[pyo3(name = "after_fork_in_parent")]
pub(super) fn after_fork_in_parent() {
    redis::after_fork_in_parent();
    #[cfg(unix)]
    super::redis::inside::after_fork_in_parent();
}

/// In the child, after the fork.
#[pyfunction]
#[pyo3(name = "after_fork_in_child")]
pub(super) fn after_fork_in_child() {
    redis::after_fork_in_child();
    #[cfg(unix)]
    super::redis::inside::after_fork_in_child();
}
