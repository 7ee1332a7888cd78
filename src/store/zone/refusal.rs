//! Why a zone cannot be used.

use std::fmt;
use std::path::Path;

/// Why a zone cannot be opened, or a limit not be registered: one line that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The caller asked for what cannot be: a `ValueError`.
    Argument(String),
    /// The machine, or what lies at the path, does not allow it: a `StoreError`.
    Environment(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Argument(text) | Self::Environment(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for Refusal {}

/// What is wrong with the file at a path, and what to do.
pub(super) fn fault(path: &Path, what: fmt::Arguments) -> Refusal {
    Refusal::Environment(format!(
        "the zone {} cannot be used: {what}",
        shown_path(path)
    ))
}

/// A path in a message, which stays one line and commands no terminal.
#[must_use]
pub fn shown_path(path: &Path) -> String {
    let mut shown = String::new();
    for character in path.to_string_lossy().chars() {
        if character.is_control() {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    shown
}
