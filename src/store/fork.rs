//! Locks that a forked child can use.
//!
//! They are the standard library's, which keep no list of the threads that sleep on them: those
//! threads do not exist in a child.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::Patience;

/// `None` only under [`Patience::Try`]. A panic of another holder changes nothing.
#[inline]
pub(super) fn locked<T>(mutex: &Mutex<T>, patience: Patience) -> Option<MutexGuard<'_, T>> {
    match patience {
        Patience::Wait => Some(locked_now(mutex)),
        Patience::Try => match mutex.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        },
    }
}

#[inline]
pub(super) fn locked_now<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
