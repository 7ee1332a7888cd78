//! The directory of a user's zones that have a name instead of a path.

use std::fs::{DirBuilder, symlink_metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::refusal::{Refusal, fault, shown_path};

/// The path of the file called `name`, in a directory that this user alone can enter.
pub(super) fn of_user(name: &str) -> Result<PathBuf, Refusal> {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    within(&parent, name)
}

fn within(parent: &Path, name: &str) -> Result<PathBuf, Refusal> {
    check(name)?;
    let shown = shown_path(Path::new(name));
    let user = geteuid().as_raw();
    let directory = parent.join(format!("sluicegate-{user}"));
    let path = directory.join(name);
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(fault(
                &path,
                format_args!(
                    "cannot make the directory {}: {error}; give a path, as in shared:///run/app/{shown}",
                    shown_path(&directory)
                ),
            ));
        }
        _ => {}
    }
    let there = symlink_metadata(&directory).map_err(|error| {
        fault(
            &path,
            format_args!("cannot look at {}: {error}", shown_path(&directory)),
        )
    })?;
    // Whoever can write there could put a zone of their own in our way.
    let is_ours = there.is_dir() && there.uid() == user && there.mode() & 0o777 == 0o700;
    if !is_ours {
        return Err(fault(
            &path,
            format_args!(
                "{} is not a directory that user {user} alone can enter; remove it, or give a path, as in \
             shared:///run/app/{shown}",
                shown_path(&directory)
            ),
        ));
    }
    Ok(path)
}

fn check(name: &str) -> Result<(), Refusal> {
    let is_plain = !name.is_empty()
        && name.len() <= 100
        && !name.starts_with('.')
        && !name.contains(['/', '\0']);
    if is_plain {
        return Ok(());
    }
    Err(Refusal::Argument(format!(
        "a zone's name must have 1 to 100 bytes, no '/' and no '.' in front, like limits, got {:?}; a path \
         is given as shared:///run/app/limits.zone",
        crate::error::shown(name)
    )))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::store::zone::tests::Scratch;

    #[test]
    fn it_is_made_for_this_user_alone_and_found_again() {
        let scratch = Scratch::new();
        let path = within(scratch.path(), "limits").expect("a fine name");
        assert_eq!(within(scratch.path(), "limits"), Ok(path.clone()));
        let directory = path.parent().expect("in a directory");
        assert_eq!(directory.metadata().expect("there").mode() & 0o777, 0o700);
    }

    #[test]
    fn one_that_others_can_write_or_that_is_a_link_is_refused() {
        let scratch = Scratch::new();
        let path = within(scratch.path(), "limits").expect("a fine name");
        let directory = path.parent().expect("in a directory");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o770)).expect("ours");
        let refusal = within(scratch.path(), "limits").unwrap_err();
        assert!(refusal.to_string().contains("alone can enter"), "{refusal}");
        fs::remove_dir(directory).expect("empty");
        symlink(scratch.path(), directory).expect("free");
        assert!(within(scratch.path(), "limits").is_err());
    }

    #[test]
    fn a_name_is_plain() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "/a",
            ".hidden",
            "a\0b",
            &"a".repeat(101),
        ] {
            assert!(matches!(check(name), Err(Refusal::Argument(_))), "{name:?}");
        }
        assert_eq!(check("limits.zone"), Ok(()));
    }
}
