//! What is in a zone, by reading its file: nothing is mapped, so nothing can be changed by mistake.
//!
//! A slot that is changed meanwhile may be counted as what it was, what it will be, or not at all.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::counted_by::CountedBy;
use super::found::{metadata, open_to_read, read_header};
use super::header::COUNTED_BY_AT;
use super::host::Host;
use super::layout::{HEADER, OVERFLOW_AT, REGISTRY_AT, SETS_AT, SLOT, sets};
use super::place::Place;
use super::{lock, told};
use crate::clock::{HostClock, Ticks};
use crate::store::zone::refusal::{Refusal, fault};
use crate::store::zone::registry::{ClaimWord, Kind, LIMITS};
use crate::store::zone::table::slot::{Flag, Identity, State, WAYS};
use crate::store::zone::word;

/// What a look at a zone's file tells.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where it lies.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// How many keys there is room for.
    pub slots: u64,
    /// Slots of no key.
    pub free: u64,
    /// Slots that a key is being inserted in, or was by somebody who has died.
    pub inserting: u64,
    /// When it was made, in Unix nanoseconds.
    pub created: u64,
    /// The user to whom it belongs.
    pub owner: u32,
    /// Its permissions.
    pub mode: u32,
    /// Whether it was made since this machine has started; else it begins afresh when it is opened.
    pub is_of_this_boot: bool,
    /// Whether a clock that tests move counts in it: what is live now cannot be told then.
    pub is_manual: bool,
    /// Its limits, in the order in which they were declared.
    pub limits: Vec<LimitReport>,
}

/// One limit of a zone.
#[derive(Debug, Clone)]
pub struct LimitReport {
    /// Its name, cut to 40 bytes.
    pub name: String,
    /// How its payloads are to be read.
    pub kind: Kind,
    /// Its window.
    pub window: Ticks,
    /// Its layout.
    pub bits: u8,
    /// Keys that are held and not idle.
    pub live: u64,
    /// Keys that are held and not in use, so that others can have their slots.
    pub idle: u64,
    /// Updates that found no room and were decided by the overflow slot, since it was made.
    pub overflowed: u64,
}

/// How many bytes are read at once.
const CHUNK: usize = 1 << 20;

impl Report {
    /// Look at the zone of that path.
    ///
    /// # Errors
    /// [`Refusal::Environment`]: it is no zone, or cannot be read.
    pub fn of(path: &Path) -> Result<Self, Refusal> {
        let file = open_to_read(path)?;
        let place = Place::at(path);
        // Not to be looked at while it is made.
        if !lock(&file, FlockOperation::NonBlockingLockShared, &place)? {
            return Err(fault(
                path,
                format_args!("another process is making it; try again"),
            ));
        }
        let header = read_header(&file, path)?;
        let header = header.map_err(|found| fault(path, format_args!("{}", told(found))))?;
        let metadata = metadata(&file, path)?;
        if metadata.len() != header.length {
            return Err(fault(
                path,
                format_args!(
                    "it has {} bytes and was made with {}: somebody has cut or extended it",
                    metadata.len(),
                    header.length
                ),
            ));
        }
        let unreadable = |error| fault(path, format_args!("cannot read it: {error}"));
        let mut report = Self {
            path: path.to_owned(),
            length: header.length,
            slots: sets(header.length) * WAYS as u64,
            free: 0,
            inserting: 0,
            created: header.created,
            owner: metadata.uid(),
            mode: metadata.mode() & 0o777,
            is_of_this_boot: Host::here()?.boot == header.host.boot,
            is_manual: counted_by(&file).map_err(unreadable)? == Some(CountedBy::Manual),
            limits: Vec::new(),
        };
        report.read_limits(&file).map_err(unreadable)?;
        report.read_slots(&file).map_err(unreadable)?;
        Ok(report)
    }

    fn read_limits(&mut self, file: &File) -> std::io::Result<()> {
        let mut bytes = vec![0; (SETS_AT - HEADER) as usize];
        file.read_exact_at(&mut bytes, REGISTRY_AT)?;
        let (entries, overflow) = bytes.split_at((OVERFLOW_AT - REGISTRY_AT) as usize);
        let overflow = overflow.chunks_exact(SLOT as usize);
        for (entry, overflow) in entries.chunks_exact(64).zip(overflow).take(LIMITS) {
            let claim = ClaimWord::read(word_at(entry, 0));
            let Some(kind) = claim.kind() else { break };
            let name = entry[24..].split(|&byte| byte == 0).next().unwrap_or(&[]);
            self.limits.push(LimitReport {
                name: String::from_utf8_lossy(name).into_owned(),
                kind,
                window: word_at(entry, 16) as u64,
                bits: claim.bits(),
                live: 0,
                idle: 0,
                overflowed: word_at(overflow, 0) as u64,
            });
        }
        Ok(())
    }

    fn read_slots(&mut self, file: &File) -> std::io::Result<()> {
        let now = HostClock::new().now();
        let mut bytes = vec![0; CHUNK];
        let (mut at, end) = (SETS_AT, SETS_AT + self.slots * SLOT);
        while at < end {
            let count = CHUNK.min((end - at) as usize);
            let bytes = &mut bytes[..count];
            file.read_exact_at(bytes, at)?;
            at += count as u64;
            for slot in bytes.chunks_exact(SLOT as usize) {
                self.count(Identity(word_at(slot, 0)), State(word_at(slot, 16)), now);
            }
        }
        Ok(())
    }

    fn count(&mut self, identity: Identity, state: State, now: Ticks) {
        match state.flag() {
            Flag::Free => self.free += 1,
            Flag::Inserting => self.inserting += 1,
            Flag::Member => {
                let number = usize::from(identity.limit().0);
                let Some(limit) = self.limits.get_mut(number) else {
                    return;
                };
                let LimitReport {
                    kind, window, bits, ..
                } = *limit;
                if word::is_idle(kind, window, bits, state.payload(), now) {
                    limit.idle += 1;
                } else {
                    limit.live += 1;
                }
            }
        }
    }
}

/// What the header says of it.
fn counted_by(file: &File) -> std::io::Result<Option<CountedBy>> {
    let mut noted = [0; 8];
    file.read_exact_at(&mut noted, COUNTED_BY_AT)?;
    Ok(CountedBy::of(u64::from_ne_bytes(noted)))
}

/// Sixteen bytes as a number.
fn word_at(bytes: &[u8], at: usize) -> u128 {
    let bytes: &[u8; 16] = bytes[at..].first_chunk().expect("an entry is longer");
    u128::from_ne_bytes(*bytes)
}
