//! Making a zone of an empty or an outlived file, under a lock that nobody else has.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FallocateFlags, Gid, Mode, Uid, fallocate, fchmod, fchown};
use rustix::io::Errno;
use rustix::process::geteuid;
use rustix::rand::{GetRandomFlags, getrandom};

use super::found::{metadata, read_header, said};
use super::header::{Header, MAGIC, UNFINISHED};
use super::host::Host;
use super::place::Place;
use crate::clock::HostClock;
use crate::store::zone::refusal::{Refusal, fault};
use std::os::unix::fs::MetadataExt;

/// Make it: whoever is killed in between leaves an unfinished one, which the next one makes.
pub(in crate::store::zone) fn make(file: &File, place: &Place, host: &Host) -> Result<(), Refusal> {
    let old = read_header(file, &place.path)?.ok();
    let length = place.size.or(old.map(|old| old.length));
    let header = Header {
        length: length.unwrap_or(Place::DEFAULT_SIZE),
        host: *host,
        key: random_key(place)?,
        created: unix_nanos(),
    };
    give_to_owner(file, place)?;
    if let Err(error) = fill(file, &header) {
        // Nothing but our own, unfinished bytes is there to be lost.
        let _ = file.set_len(0);
        return Err(match Errno::from_io_error(&error) {
            Some(error) => no_room(place, header.length, error),
            None => fault(&place.path, format_args!("{error}")),
        });
    }
    Ok(())
}

fn fill(file: &File, header: &Header) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(&UNFINISHED, 0)?;
    reserve(file, header.length)?;
    let offset = HostClock::new().unix_offset(i64::MIN / 2).unwrap_or(0);
    let bytes = header.encode(offset);
    file.write_all_at(&bytes[MAGIC.len()..], MAGIC.len() as u64)?;
    file.write_all_at(&MAGIC, 0)
}

/// Have the file system set all of it aside now: or else a worker ends by SIGBUS when it writes where
/// no room is left.
fn reserve(file: &File, length: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        Err(Errno::OPNOTSUPP) => {
            let zeros = [0; 4 << 10];
            let mut at = UNFINISHED.len() as u64;
            while at < length {
                let count = zeros.len().min((length - at) as usize);
                file.write_all_at(&zeros[..count], at)?;
                at += count as u64;
            }
            Ok(())
        }
        other => Ok(other?),
    }
}

/// Why a file system does not set that much aside.
pub(in crate::store::zone) fn no_room(place: &Place, length: u64, error: Errno) -> Refusal {
    let free = place
        .path
        .parent()
        .and_then(|directory| rustix::fs::statfs(directory).ok());
    #[allow(
        clippy::cast_sign_loss,
        reason = "C libraries declare it with a sign or without"
    )]
    let free = free.map_or(0, |told| told.f_bavail * told.f_bsize as u64);
    match error {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => fault(
            &place.path,
            format_args!(
                "no room for {length} bytes, {free} are free there ({}); say a smaller size=, or make room: a \
             container's /dev/shm has 64 MB unless it is started with --shm-size",
                said(error)
            ),
        ),
        error => fault(&place.path, format_args!("cannot make it: {}", said(error))),
    }
}

fn give_to_owner(file: &File, place: &Place) -> Result<(), Refusal> {
    let there = metadata(file, &place.path)?;
    let (owner, user) = (place.owner(), geteuid().as_raw());
    if there.uid() != owner && there.uid() != user {
        return Err(fault(
            &place.path,
            format_args!(
                "it is not finished and belongs to user {}; let that user open it, or delete it",
                there.uid()
            ),
        ));
    }
    if there.uid() != owner {
        fchown(file, Some(Uid::from_raw(owner)), None::<Gid>).map_err(|error| {
            fault(&place.path, format_args!(
                "cannot give it to owner={owner}: {}; only root can, so let root or that user make it", said(error)
            ))
        })?;
    }
    if there.mode() & 0o777 != place.mode() {
        fchmod(file, Mode::from_raw_mode(place.mode())).map_err(|error| {
            fault(
                &place.path,
                format_args!("cannot set mode={:03o}: {}", place.mode(), said(error)),
            )
        })?;
    }
    Ok(())
}

fn random_key(place: &Place) -> Result<[u64; 2], Refusal> {
    let mut bytes = [0; 16];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(16) => {}
        Ok(_) | Err(_) => {
            return Err(fault(
                &place.path,
                format_args!("the system has no random numbers"),
            ));
        }
    }
    let words = bytes.as_chunks().0;
    Ok([u64::from_ne_bytes(words[0]), u64::from_ne_bytes(words[1])])
}

fn unix_nanos() -> u64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    unix.unwrap_or_default().as_nanos() as u64
}
