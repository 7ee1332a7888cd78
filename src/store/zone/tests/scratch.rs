//! A directory for one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::store::zone::Place;

/// In memory if there is such a place; gone with its files when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let number = COUNT.fetch_add(1, Relaxed);
        let name = format!("sluicegate-test-{}-{number}", std::process::id());
        let path = parent.join(name);
        fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A place for a zone of that many bytes.
    pub(crate) fn place(&self, size: u64) -> Place {
        Place {
            size: Some(size),
            ..Place::at(self.0.join("limits.zone"))
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
