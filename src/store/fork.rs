//! Locks that a forked child can use.
//!
//! They are the standard library's, which keep no list of the threads that sleep on them: those
//! threads do not exist in a child.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::{Patience, Result, Stop};

/// [`Stop::Locked`] only under [`Patience::Try`]. A panic of another holder changes nothing.
#[inline]
pub(super) fn locked<T>(mutex: &Mutex<T>, patience: Patience) -> Result<MutexGuard<'_, T>> {
    match patience {
        Patience::Wait => Ok(locked_now(mutex)),
        Patience::Try => match mutex.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(error)) => Ok(error.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Stop::Locked),
        },
    }
}

#[inline]
pub(super) fn locked_now<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
