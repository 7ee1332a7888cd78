//! What is held while the process forks, so that a child finds every lock of ours free.
//!
//! The C library calls us right before the fork and right after it. No Python code runs in
//! between, so no lock is held while a thread that has the interpreter could ask for it: neither a
//! fork hook of somebody else, nor another thread that forks, nor one that drops a waiter.

use std::cell::RefCell;
use std::mem::transmute;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};

/// Something with locks of its own, that others may wait for.
pub(crate) trait Forks: Send + Sync {
    /// Take every lock. Whoever holds one of them asks only for those of objects that were registered
    /// after this one, as a fork does.
    fn hold(self: Arc<Self>) -> Box<dyn Held>;

    /// Wake everybody who waits here, for a reason of their own.
    fn wake_all(&self) {}
}

/// All locks of one object.
pub(crate) trait Held {
    /// Let go, in the parent.
    fn release(self: Box<Self>);
    /// Let go, in the child, and forget those who waited in the parent.
    fn release_in_child(self: Box<Self>);
}

/// The one lock of `object`, with what a child does to what is behind it.
pub(crate) struct HeldLock<T: 'static, O: Send + Sync> {
    guard: MutexGuard<'static, T>,
    in_child: fn(&O, &mut T),
    /// Last, since the guard borrows from it.
    object: Arc<O>,
}

impl<T: 'static, O: Send + Sync + 'static> HeldLock<T, O> {
    pub(crate) fn of(
        object: Arc<O>,
        lock: impl for<'a> FnOnce(&'a O) -> &'a Mutex<T>,
        in_child: fn(&O, &mut T),
    ) -> Box<dyn Held> {
        let guard = lock(&object).lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the guard borrows from the object, which does not move and is kept alive
        // beside it until it is gone.
        let guard = unsafe { transmute::<MutexGuard<'_, T>, MutexGuard<'static, T>>(guard) };
        Box::new(Self {
            guard,
            in_child,
            object,
        })
    }
}

impl<T: 'static, O: Send + Sync> Held for HeldLock<T, O> {
    fn release(self: Box<Self>) {}

    fn release_in_child(mut self: Box<Self>) {
        (self.in_child)(&self.object, &mut self.guard);
    }
}

/// The objects, in the order of their registration.
struct Registry {
    objects: Vec<Weak<dyn Forks>>,
    /// How many there have been.
    registered: u64,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    objects: Vec::new(),
    registered: 0,
});

/// The locks, and then the registry's own.
struct AllHeld {
    held: Vec<Box<dyn Held>>,
    _registry: MutexGuard<'static, Registry>,
}

thread_local! {
    static HELD: RefCell<Option<AllHeld>> = const { RefCell::new(None) };
}

/// Have `object` held in every fork to come: its place in the order of locks. To be called without any
/// lock.
pub(crate) fn register(object: Weak<dyn Forks>) -> u64 {
    static HANDLERS: Once = Once::new();
    HANDLERS.call_once(install);
    let mut registry = registry();
    let objects = &mut registry.objects;
    if objects.len() == objects.capacity() {
        objects.retain(|object| object.strong_count() > 0);
    }
    objects.push(object);
    registry.registered += 1;
    registry.registered
}

/// Wake everybody who waits for anything in this process.
#[cfg_attr(
    not(any(feature = "python", test)),
    expect(dead_code, reason = "for tests in Python")
)]
pub(crate) fn wake_all() {
    let objects: Vec<_> = registry()
        .objects
        .iter()
        .filter_map(Weak::upgrade)
        .collect();
    for object in objects {
        object.wake_all();
    }
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn before() {
    let registry = registry();
    let objects = registry.objects.iter().filter_map(Weak::upgrade);
    let held = objects.map(Forks::hold).collect();
    let all = AllHeld {
        held,
        _registry: registry,
    };
    HELD.set(Some(all));
}

extern "C" fn after_in_parent() {
    if let Some(all) = HELD.take() {
        all.held.into_iter().for_each(Held::release);
    }
}

extern "C" fn after_in_child() {
    if let Some(all) = HELD.take() {
        all.held.into_iter().for_each(Held::release_in_child);
    }
}

#[cfg(unix)]
fn install() {
    type Handler = extern "C" fn();
    unsafe extern "C" {
        fn pthread_atfork(before: Handler, in_parent: Handler, in_child: Handler) -> i32;
    }
    // SAFETY: the handlers live as long as the process, since an extension is never unloaded.
    let failed = unsafe { pthread_atfork(before, after_in_parent, after_in_child) };
    assert_eq!(failed, 0, "no memory for a fork handler");
}

#[cfg(not(unix))]
fn install() {
    let _: [extern "C" fn(); 3] = [before, after_in_parent, after_in_child];
}
