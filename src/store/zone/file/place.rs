//! Where a zone lies.

use std::path::PathBuf;

use rustix::process::geteuid;

use super::layout::{LARGEST, SMALLEST};
use crate::store::zone::refusal::Refusal;

/// What the URL of a zone says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's absolute path.
    pub path: PathBuf,
    /// Its length in bytes; `None`: what it has, or [`Place::DEFAULT_SIZE`] for a new one.
    pub size: Option<u64>,
    /// Permissions for a new one, within 0o666; `None`: 0o600, and one that others may write is
    /// refused.
    pub mode: Option<u32>,
    /// The user id to whom it belongs; `None`: this process's effective one.
    pub owner: Option<u32>,
}

impl Place {
    /// 10 MiB: room for 323,000 keys.
    pub const DEFAULT_SIZE: u64 = 10 << 20;

    /// At this path, and as it is there or by default.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            size: None,
            mode: None,
            owner: None,
        }
    }

    /// Who it must belong to.
    pub(in crate::store::zone) fn owner(&self) -> u32 {
        self.owner.unwrap_or_else(|| geteuid().as_raw())
    }

    /// What others may do with it.
    pub(in crate::store::zone) fn mode(&self) -> u32 {
        self.mode.unwrap_or(0o600)
    }

    /// Whether its figures are such as a zone can have.
    pub(in crate::store::zone) fn check(&self) -> Result<(), Refusal> {
        if let Some(size) = self.size
            && !(SMALLEST..=LARGEST).contains(&size)
        {
            return Err(Refusal::Argument(format!(
                "size= must be from {SMALLEST} bytes, which is room for 8 keys, to 64g, like 10m, got {size}"
            )));
        }
        let mode = self.mode();
        if mode & !0o666 != 0 || mode & 0o600 != 0o600 {
            return Err(Refusal::Argument(format!(
                "mode= must let the owner read and write and nobody execute, like 600 or 660, got {mode:03o}"
            )));
        }
        Ok(())
    }
}
