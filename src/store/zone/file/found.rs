//! The file at a zone's path, before anything is read of it or written to it.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags, StatFs, fstatfs, open, openat};
use rustix::io::Errno;

use super::header::{Fault, Header, LENGTH};
use super::place::Place;
use crate::store::zone::refusal::{Refusal, fault, shown_path};

/// How often to try where others make and delete the file at the same time.
const TRIES: usize = 100;

/// Open the file, or make an empty one that belongs to this process's user. Whether it was made here.
pub(in crate::store::zone) fn open_or_create(place: &Place) -> Result<(File, bool), Refusal> {
    let (directory, name) = directory_of(&place.path)?;
    for _ in 0..TRIES {
        let made = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        match descriptor_of(&directory, name, made) {
            Err(Errno::EXIST) => {}
            // A directory that takes no files, such as one of /proc, or that has been deleted.
            Err(Errno::NOENT) => break,
            Err(Errno::ACCESS | Errno::PERM) => return Err(may_not_make(&place.path)),
            made => return Ok((opened(made, &place.path)?, true)),
        }
        // Without CREATE: where all may write, as in /dev/shm, the kernel refuses that for a file of
        // another user, also to root (fs.protected_regular).
        match descriptor_of(&directory, name, OFlags::RDWR) {
            Err(Errno::NOENT) => {} // deleted in between
            found => return Ok((opened(found, &place.path)?, false)),
        }
    }
    Err(fault(
        &place.path,
        format_args!("no file can be made there; name another path, as in /dev/shm or /run"),
    ))
}

fn may_not_make(path: &Path) -> Refusal {
    let directory = path.parent().unwrap_or(path);
    fault(
        path,
        format_args!(
            "this user may make no file in {}; let one who may make the zone, with owner= or mode= for this \
             user, or name another path",
            shown_path(directory)
        ),
    )
}

/// Open the file to look at it.
pub(in crate::store::zone) fn open_to_read(path: &Path) -> Result<File, Refusal> {
    let (directory, name) = directory_of(path)?;
    opened(descriptor_of(&directory, name, OFlags::RDONLY), path)
}

fn directory_of(path: &Path) -> Result<(OwnedFd, &OsStr), Refusal> {
    let (Some(directory), Some(name), true) = (path.parent(), path.file_name(), path.is_absolute())
    else {
        return Err(Refusal::Argument(format!(
            "a zone's path must be absolute and name a file, like /run/app/limits.zone, got {}",
            shown_path(path)
        )));
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = open(directory, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT | Errno::NOTDIR => fault(
            path,
            format_args!(
                "there is no directory {}; make it, with permissions for all workers",
                shown_path(directory)
            ),
        ),
        error => fault(
            path,
            format_args!("cannot enter {}: {}", shown_path(directory), said(error)),
        ),
    })?;
    let kind = fstatfs(&opened).map_err(|error| fault(path, format_args!("{}", said(error))))?;
    refuse_file_system(path, magic_of(&kind))?;
    Ok((opened, name))
}

fn descriptor_of(directory: &OwnedFd, name: &OsStr, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    // A device or a FIFO must neither keep us waiting nor become our terminal.
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::NONBLOCK;
    openat(directory, name, flags, Mode::RUSR | Mode::WUSR)
}

fn opened(descriptor: rustix::io::Result<OwnedFd>, path: &Path) -> Result<File, Refusal> {
    let file = descriptor.map_err(|error| refusal_of(path, error))?;
    let kind =
        fstatfs(file.as_fd()).map_err(|error| fault(path, format_args!("{}", said(error))))?;
    refuse_file_system(path, magic_of(&kind))?;
    let file = File::from(file);
    let metadata = metadata(&file, path)?;
    if !metadata.is_file() {
        return Err(fault(
            path,
            format_args!(
                "it is a {}, not a regular file; name another path",
                kind_of(&metadata)
            ),
        ));
    }
    Ok(file)
}

fn refusal_of(path: &Path, error: Errno) -> Refusal {
    let what = match error {
        Errno::LOOP => "it is a symbolic link, which is not followed; name the file itself",
        Errno::ISDIR => "it is a directory, not a regular file; name a file in it",
        Errno::NXIO | Errno::NODEV => {
            "it is a socket or a device, not a regular file; name another path"
        }
        Errno::NOENT => "there is no such file; a process that opens the zone makes it",
        Errno::ROFS => {
            "the file system is read-only; name a path that the workers can write, as in /dev/shm or /run"
        }
        Errno::ACCESS | Errno::PERM => {
            "this user may not read and write it; let its owner give mode= or owner=, or name another path"
        }
        Errno::NOSPC | Errno::DQUOT => {
            "the file system is full; free some of it, or name another path"
        }
        _ => return fault(path, format_args!("cannot open it: {}", said(error))),
    };
    fault(path, format_args!("{what}"))
}

/// A descriptor's metadata.
pub(in crate::store::zone) fn metadata(file: &File, path: &Path) -> Result<Metadata, Refusal> {
    let told = file.metadata();
    told.map_err(|error| fault(path, format_args!("{error}")))
}

fn kind_of(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_dir() {
        "directory"
    } else if kind.is_fifo() {
        "FIFO"
    } else {
        "device or a socket"
    }
}

/// What the first bytes of a file say.
pub(in crate::store::zone) fn read_header(
    file: &File,
    path: &Path,
) -> Result<Result<Header, Fault>, Refusal> {
    let mut bytes = [0; LENGTH];
    let mut have = 0;
    while have < LENGTH {
        let read = file.read_at(&mut bytes[have..], have as u64);
        match read.map_err(|error| fault(path, format_args!("cannot read it: {error}")))? {
            0 => break,
            more => have += more,
        }
    }
    Ok(Header::decode(&bytes[..have]))
}

/// An error of the system, in words.
pub(in crate::store::zone) fn said(error: Errno) -> std::io::Error {
    error.into()
}

/// Its kind, which C libraries declare with a sign or without.
#[allow(clippy::cast_sign_loss, reason = "a pattern of bits")]
fn magic_of(told: &StatFs) -> u64 {
    told.f_type as u64
}

/// Files that several machines see: what one of them maps, the others need not see at once, if at
/// all.
fn refuse_file_system(path: &Path, magic: u64) -> Result<(), Refusal> {
    let name = match magic {
        0x6969 => "NFS",
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => "a Windows share (CIFS)",
        0x0102_1997 => "9p",
        0x6573_5546 => "FUSE or virtiofs",
        0x5346_414f => "AFS",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        _ => return Ok(()),
    };
    Err(fault(
        path,
        format_args!(
            "it lies on {name}, where processes do not share memory; name a path on this host, as in /dev/shm or /run"
        ),
    ))
}

/// Whether the file belongs to whom it should, and others cannot write it unasked.
pub(in crate::store::zone) fn check_rights(
    place: &Place,
    metadata: &Metadata,
) -> Result<(), Refusal> {
    let (owner, wanted) = (metadata.uid(), place.owner());
    if owner != wanted {
        return Err(fault(
            &place.path,
            format_args!(
                "it belongs to user {owner}, not to user {wanted}; if that user is to be trusted, say owner={owner}"
            ),
        ));
    }
    let unasked = metadata.mode() & 0o022 & !place.mode();
    if unasked != 0 {
        return Err(fault(
            &place.path,
            format_args!(
                "others may write it, its permissions are {0:03o}; take them away (chmod {1:03o}) or say mode={0:03o}",
                metadata.mode() & 0o777,
                metadata.mode() & 0o777 & !unasked
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_several_machines_are_refused() {
        let path = Path::new("/mnt/limits.zone");
        for magic in [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x6573_5546] {
            let refusal = refuse_file_system(path, magic).unwrap_err();
            assert!(
                refusal.to_string().contains("do not share memory"),
                "{refusal}"
            );
        }
        let (tmpfs, ext4, overlay) = (0x0102_1994, 0xef53, 0x794c_7630);
        for magic in [tmpfs, ext4, overlay] {
            assert_eq!(refuse_file_system(path, magic), Ok(()));
        }
    }
}
