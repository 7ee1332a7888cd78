//! The limits of a zone: each has a number, by the name, kind and window that were declared.
//!
//! An entry is claimed by one swap, and all else in it follows from what was claimed: two that write
//! it write the same.

use portable_atomic::{AtomicU128, Ordering::SeqCst};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::refusal::{Refusal, shown_path};
use super::word;
use crate::clock::Ticks;
use crate::quota::grouped;
use crate::store::KeyHasher;

pub use super::word::kind::Kind;

/// The most limits that a zone can hold.
pub(super) const LIMITS: usize = 1024;

/// How many bytes of a name are kept for people to read.
const NAME: usize = 40;

/// A limit, as its declaration describes it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What people call it; of any length.
    pub name: &'a str,
    /// How payloads are to be read.
    pub kind: Kind,
    /// The window, the time to a full bucket, or a lease. (For a kind whose state does not depend on
    /// it, such as a bucket, it may be 0, so that a changed quota goes on with what was spent.)
    pub window: Ticks,
    /// How the payload is laid out, in a sense that the kind knows.
    pub bits: u8,
}

/// The number of a limit in its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitId(pub(super) u16);

impl LimitId {
    /// As a number: no two limits of a zone have the same.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

/// A limit that the zone knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// Its number.
    pub id: LimitId,
    /// The layout, as whoever came first has declared it.
    pub bits: u8,
}

/// 64 bytes of the file; all 0: nobody's.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Entry {
    claim: AtomicU128,
    window: AtomicU64,
    name: [AtomicU64; NAME / 8],
}

/// 104 bits of a fingerprint, the kind, the layout, and a last byte that is not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClaimWord(u128);

impl ClaimWord {
    fn new(wanted: &Wanted, hasher: &KeyHasher) -> Self {
        let mut text = wanted.window.to_le_bytes().to_vec();
        text.push(wanted.kind as u8);
        text.extend(wanted.name.as_bytes());
        let print = hasher.fingerprint(&text);
        let print = u128::from(print.shard()) << 64 | u128::from(print.hash() << 24);
        let rest = u32::from_be_bytes([0, wanted.kind as u8, wanted.bits, 1]);
        Self(print | u128::from(rest))
    }

    /// As it lies in the file.
    pub(super) fn read(word: u128) -> Self {
        Self(word)
    }

    /// Whether it is the same limit, however it is laid out.
    fn is_same(self, other: Self) -> bool {
        self.0 >> 16 == other.0 >> 16
    }

    pub(super) fn kind(self) -> Option<Kind> {
        Kind::of((self.0 >> 16) as u8)
    }

    pub(super) fn bits(self) -> u8 {
        (self.0 >> 8) as u8
    }
}

/// Find a limit, or claim an entry for it. `None`: there is no more room.
pub(super) fn register(
    entries: &[Entry; LIMITS],
    hasher: &KeyHasher,
    wanted: &Wanted,
) -> Option<Registered> {
    let mine = ClaimWord::new(wanted, hasher);
    for (number, entry) in entries.iter().enumerate() {
        let there = match entry.claim.load(SeqCst) {
            0 => entry.claim.compare_exchange(0, mine.0, SeqCst, SeqCst),
            there => Err(there),
        };
        let there = there.map_or_else(ClaimWord, |_| mine);
        if there.is_same(mine) {
            entry.describe(wanted);
            return Some(Registered {
                id: LimitId(number as u16),
                bits: there.bits(),
            });
        }
    }
    None
}

/// That a zone has no room for one more limit.
pub(super) fn too_many(path: &Path, name: &str) -> Refusal {
    Refusal::Argument(format!(
        "the zone {} holds {LIMITS} limits of other names, algorithms or windows, and {name:?} is one too \
         many: a limit has a name that does not change, and what changes is a key of it; to begin anew stop all \
         its processes and delete the file",
        shown_path(path),
        LIMITS = grouped(LIMITS as u32),
    ))
}

/// Whether a key of that limit cannot be told from one that was never seen. Nobody's slots are idle.
pub(super) fn is_idle(
    entries: &[Entry; LIMITS],
    limit: LimitId,
    payload: u128,
    now: Ticks,
) -> bool {
    let Some(entry) = entries.get(usize::from(limit.0)) else {
        return true;
    };
    let claim = ClaimWord(entry.claim.load(SeqCst));
    claim.kind().is_none_or(|kind| {
        word::is_idle(kind, entry.window.load(Relaxed), claim.bits(), payload, now)
    })
}

impl Entry {
    fn describe(&self, wanted: &Wanted) {
        self.window.store(wanted.window, Relaxed);
        let bytes = cut(wanted.name);
        for (word, bytes) in self.name.iter().zip(bytes.chunks_exact(8)) {
            let bytes = bytes.try_into().expect("chunks of 8");
            word.store(u64::from_le_bytes(bytes), Relaxed);
        }
    }
}

/// As much of a name as there is room for.
fn cut(name: &str) -> [u8; NAME] {
    let mut shown = name.to_owned();
    if name.len() > NAME {
        let end = (0..=NAME - 3).rev().find(|&at| name.is_char_boundary(at));
        shown.truncate(end.unwrap_or(0));
        shown.push('…');
    }
    let mut bytes = [0; NAME];
    bytes[..shown.len()].copy_from_slice(shown.as_bytes());
    bytes
}
