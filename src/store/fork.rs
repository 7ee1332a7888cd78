//! Stores across a fork: a child must find their locks free, and none of its parent's waiters.
//!
//! The locks are the standard library's, which keep no list of the threads that sleep on
//! them: those threads do not exist in a child.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use super::Patience;

/// A store whose locks can be held while the process forks.
pub(super) trait Forks: Send + Sync {
    /// Take every lock.
    fn hold(self: Arc<Self>) -> Box<dyn Held>;
}

/// All locks of one store.
pub(super) trait Held {
    /// Let go, in the parent.
    fn release(self: Box<Self>);
    /// Let go, in the child, and forget those who waited in the parent.
    fn release_in_child(self: Box<Self>);
}

static STORES: Mutex<Vec<Weak<dyn Forks>>> = Mutex::new(Vec::new());

thread_local! {
    static HELD: RefCell<Vec<Box<dyn Held>>> = const { RefCell::new(Vec::new()) };
}

/// Have `store` held in every fork to come.
pub(super) fn register(store: Weak<dyn Forks>) {
    let mut stores = locked_now(&STORES);
    if stores.len() == stores.capacity() {
        stores.retain(|store| store.strong_count() > 0);
    }
    stores.push(store);
}

/// Before a fork: wait until no thread is in the middle of a change, and keep it so.
///
/// The thread that forks calls this and then [`after_in_parent`] or [`after_in_child`].
pub fn before() {
    // Not held on: a store that is made or dropped meanwhile is no other thread's business.
    let stores: Vec<_> = locked_now(&STORES)
        .iter()
        .filter_map(Weak::upgrade)
        .collect();
    let held = stores.into_iter().map(Forks::hold).collect();
    HELD.set(held);
}

/// After a fork, in the parent.
pub fn after_in_parent() {
    HELD.take().into_iter().for_each(Held::release);
}

/// After a fork, in the child.
pub fn after_in_child() {
    HELD.take().into_iter().for_each(Held::release_in_child);
}

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
