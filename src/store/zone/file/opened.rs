//! What this process has mapped, so that one file is mapped once.

use std::any::Any;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use crate::fork::{self, Forks, Held, HeldLock};

type List = Vec<(FileId, Weak<dyn Any + Send + Sync>)>;

/// A device and an inode on it.
pub(in crate::store::zone) type FileId = (u64, u64);

/// Locked for moments, and with no other lock.
#[derive(Default)]
struct Opened(Mutex<List>);

impl Forks for Opened {
    fn hold(self: Arc<Self>) -> Box<dyn Held> {
        HeldLock::of(self, |opened| &opened.0, |_, _| ())
    }
}

static OPENED: LazyLock<Arc<Opened>> = LazyLock::new(|| {
    let opened = Arc::<Opened>::default();
    fork::register(Arc::downgrade(&opened) as Weak<dyn Forks>);
    opened
});

/// What is mapped of that file, or else `new`, which from now on is the one.
pub(in crate::store::zone) fn the_one<T: Any + Send + Sync>(file: FileId, new: T) -> Arc<T> {
    let mut list = OPENED.0.lock().unwrap_or_else(PoisonError::into_inner);
    let known = list.iter().find(|(known, _)| *known == file);
    let known = known.and_then(|(_, weak)| weak.upgrade()?.downcast().ok());
    known.unwrap_or_else(|| {
        list.retain(|(_, weak)| weak.strong_count() > 0);
        let new = Arc::new(new);
        let weak = Arc::downgrade(&new);
        list.push((file, weak));
        new
    })
}
