//! What has to happen around a fork, for `os.register_at_fork`.

use pyo3::prelude::*;

use crate::store::{fork, redis};

/// In the thread that is about to fork.
#[pyfunction]
#[pyo3(name = "_before_fork")]
pub(super) fn before_fork(py: Python<'_>) {
    // Those who use the interpreter go first, while no lock is held that they may need.
    #[cfg(unix)]
    super::redis::gate::before_fork(py);
    // The thread that talks to servers first: it may wait for a store's lock, never for the
    // interpreter. Nor does any thread that holds such a lock, so this ends soon.
    redis::before_fork();
    fork::before();
}

/// In the parent, after the fork.
#[pyfunction]
#[pyo3(name = "_after_fork_in_parent")]
pub(super) fn after_fork_in_parent() {
    fork::after_in_parent();
    redis::after_fork_in_parent();
    #[cfg(unix)]
    super::redis::gate::after_fork_in_parent();
}

/// In the child, after the fork.
#[pyfunction]
#[pyo3(name = "_after_fork_in_child")]
pub(super) fn after_fork_in_child() {
    fork::after_in_child();
    redis::after_fork_in_child();
    #[cfg(unix)]
    super::redis::gate::after_fork_in_child();
}
