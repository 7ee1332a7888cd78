//! One protocol for the first use of a zone, for one whose maker was killed, and for the first use
//! after the machine was started again.
//!
//! All who have a zone mapped share a lock on its file, which ends with the last copy of the
//! descriptor, however a process ends. Whoever gets that lock alone knows that nobody has it mapped,
//! and may make it. A state of the file is believed only under a lock, and looked at again after each
//! change of the lock, since the kernel lets go of a lock before it takes another one.

pub(super) mod counted_by;
pub(super) mod found;
pub(super) mod header;
pub(super) mod host;
pub(super) mod inspect;
pub(super) mod layout;
mod make;
pub(super) mod mapping;
pub(super) mod opened;
pub(super) mod place;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use rustix::io::Errno;

use super::refusal::{Refusal, fault, shown_path};
use found::{check_rights, metadata, open_or_create, read_header, said};
use header::{Fault, Header};
use host::Host;
use place::Place;

/// How long to wait for others to finish a zone, or to leave one of another boot.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(1);

/// A zone's file under a shared lock, and what its header says.
pub(super) struct ZoneFile {
    pub(super) file: File,
    pub(super) header: Header,
}

/// What a look at a file says.
enum State {
    Ready(Header),
    /// It has to be made, for this reason.
    Unmade(&'static str),
}

impl ZoneFile {
    /// Open the zone as a process on `host`, and make it if need be.
    pub(super) fn open(place: &Place, host: &Host, patience: Duration) -> Result<Self, Refusal> {
        place.check()?;
        let give_up_at = Instant::now() + patience;
        let (mut file, mut is_new) = open_or_create(place)?;
        let mut unmade = "another process is making it";
        loop {
            if lock(&file, FlockOperation::NonBlockingLockShared, place)? {
                if !is_still_there(&file, &place.path)? {
                    (file, is_new) = open_or_create(place)?;
                    continue;
                }
                match state_of(&file, place, host)? {
                    State::Ready(header) => return Self::ready(file, header, place),
                    State::Unmade(why) => unmade = why,
                }
            }
            if lock(&file, FlockOperation::NonBlockingLockExclusive, place)?
                && is_still_there(&file, &place.path)?
                && let State::Unmade(_) = state_of(&file, place, host)?
            {
                if let Err(refusal) = make::make(&file, place, host) {
                    if is_new {
                        discard(&file, &place.path);
                    }
                    return Err(refusal);
                }
                continue;
            }
            if Instant::now() >= give_up_at {
                return Err(fault(
                    &place.path,
                    format_args!(
                        "{unmade}, and others have kept it open for {} s; end them, or delete the file and \
                     start all processes anew",
                        patience.as_secs_f32()
                    ),
                ));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn ready(file: File, header: Header, place: &Place) -> Result<Self, Refusal> {
        check_rights(place, &metadata(&file, &place.path)?)?;
        if let Some(size) = place.size
            && size != header.length
        {
            return Err(Refusal::Argument(format!(
                "size= must be what the zone {} has, {} bytes, or be left out, got {size}; for another size \
                 stop all its processes and delete the file",
                shown_path(&place.path),
                header.length
            )));
        }
        fill_holes(&file, header.length, place)?;
        Ok(Self { file, header })
    }
}

/// What the file holds; an error if that is nothing of ours, or nothing that we can use.
fn state_of(file: &File, place: &Place, host: &Host) -> Result<State, Refusal> {
    let path = &place.path;
    let header = match read_header(file, path)? {
        Ok(header) => header,
        Err(Fault::Unfinished) => return Ok(State::Unmade("another process is making it")),
        Err(other) => return Err(fault(path, format_args!("{}", told(other)))),
    };
    if header.host.boot != host.boot {
        return Ok(State::Unmade(
            "it was made on another machine or before this one was restarted",
        ));
    }
    if header.host.time_namespace != host.time_namespace {
        return Err(fault(
            path,
            format_args!(
                "it was made in another time namespace, whose clock is another one; use one zone for each, \
             or the same time namespace"
            ),
        ));
    }
    let length = metadata(file, path)?.len();
    if length != header.length {
        return Err(fault(
            path,
            format_args!(
                "it has {length} bytes and was made with {}, so somebody has cut or extended it; {ANEW}",
                header.length
            ),
        ));
    }
    Ok(State::Ready(header))
}

const ANEW: &str = "stop all its processes and delete the file, so that it begins anew";

/// A fault in words.
pub(super) fn told(fault: Fault) -> String {
    match fault {
        Fault::Unfinished => {
            "nobody has finished making it yet; open it from an application".into()
        }
        Fault::NoZone => {
            "it is not a zone, and files of others are never overwritten; name another path".into()
        }
        Fault::OtherLayout => format!(
            "another version of sluicegate, or another kind of processor, has made it; {ANEW}"
        ),
        Fault::Damaged => format!("its header is damaged; {ANEW}"),
    }
}

/// Whether the path still leads to this file.
fn is_still_there(file: &File, path: &Path) -> Result<bool, Refusal> {
    let ours = metadata(file, path)?;
    let there = std::fs::symlink_metadata(path);
    Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())))
}

/// Remove a file that was made here and could not be made a zone. Only under the lock that nobody
/// else has: whoever has opened it meanwhile sees then that it has gone.
fn discard(file: &File, path: &Path) {
    if is_still_there(file, path) == Ok(true) {
        let _ = std::fs::remove_file(path);
    }
}

/// A copy may have holes, which end a process by SIGBUS when there is no room for them later.
fn fill_holes(file: &File, length: u64, place: &Place) -> Result<(), Refusal> {
    if metadata(file, &place.path)?.blocks() * 512 >= length {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(make::no_room(place, length, error)),
    }
}

/// Take or change a lock. False: others hold theirs.
pub(super) fn lock(file: &File, how: FlockOperation, place: &Place) -> Result<bool, Refusal> {
    match flock(file, how) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
        Err(error) => Err(fault(
            &place.path,
            format_args!(
                "its file system has no locks: {}; name a path in /dev/shm or /run",
                said(error)
            ),
        )),
    }
}
