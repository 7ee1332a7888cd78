//! The zones that this process has mapped, so that one file is mapped once.

use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use super::Zone;
use crate::fork::{self, Forks, Held, HeldLock};

type List = Vec<(FileId, Weak<Zone>)>;

/// A device and an inode on it.
pub(super) type FileId = (u64, u64);

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

/// The zone of that file, if it is mapped, else `new`, which from now on is the one.
pub(super) fn the_one(file: FileId, new: Zone) -> Arc<Zone> {
    let mut list = OPENED.0.lock().unwrap_or_else(PoisonError::into_inner);
    let known = list.iter().find(|(known, _)| *known == file);
    if let Some(zone) = known.and_then(|(_, zone)| zone.upgrade()) {
        drop(list);
        return zone; // and `new` is dropped without the lock
    }
    list.retain(|(_, zone)| zone.strong_count() > 0);
    let zone = Arc::new(new);
    list.push((file, Arc::downgrade(&zone)));
    zone
}
