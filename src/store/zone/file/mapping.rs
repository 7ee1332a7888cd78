//! The file in memory, as what lies in it. All of the zone's unsafe code is here.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::sync::atomic::{AtomicI64, AtomicU64};

use memmap2::{MmapOptions, MmapRaw};

use super::header::{COUNTED_BY_AT, OFFSET_AT};
use super::layout::{OVERFLOW_AT, REGISTRY_AT, SET, SETS_AT, SLOT, sets};
use crate::store::zone::registry::{Entry, LIMITS};
use crate::store::zone::table::overflow::Overflow;
use crate::store::zone::table::slot::{Set, Slot};

const _: () = assert!(size_of::<Slot>() as u64 == SLOT && size_of::<Set>() as u64 == SET);
const _: () = assert!(size_of::<Overflow>() == 32 && size_of::<Entry>() == 64);
const _: () = assert!(SETS_AT.is_multiple_of(align_of::<Set>() as u64));

/// Readable and writable, and shared with all who map the same file.
///
/// Other processes change it at any time, so it is made of atomics alone. A process that cuts the file
/// short makes the others end by SIGBUS: nobody can prevent that, and no sluicegate does it.
#[derive(Debug)]
pub(in crate::store::zone) struct Mapping {
    memory: MmapRaw,
    sets: usize,
}

impl Mapping {
    /// Map a file of that length, which is at least the smallest zone's.
    pub(in crate::store::zone) fn new(file: &File, length: u64) -> io::Result<Self> {
        assert!(sets(length) > 0, "less than one set");
        let memory = MmapOptions::new().len(length as usize).map_raw(file)?;
        let sets = sets(length) as usize;
        Ok(Self { memory, sets })
    }

    /// The table.
    #[inline]
    pub(in crate::store::zone) fn sets(&self) -> &[Set] {
        // SAFETY: the mapping has `SETS_AT + sets * 256` bytes at least, it starts at a page, and
        // `SETS_AT` is a multiple of 256. Every bit pattern is a valid `Set`, which is atomics only,
        // and it stays mapped as long as `self`.
        unsafe { std::slice::from_raw_parts(self.at(SETS_AT).cast(), self.sets) }
    }

    /// The limits.
    #[inline]
    pub(in crate::store::zone) fn registry(&self) -> &[Entry; LIMITS] {
        // SAFETY: as above: 64 KiB of 64-byte entries in front of the overflow slots.
        unsafe { &*self.at(REGISTRY_AT).cast() }
    }

    /// What limits' keys share that find no room.
    #[inline]
    pub(in crate::store::zone) fn overflow(&self) -> &[Overflow; LIMITS] {
        // SAFETY: as above: 32 KiB of 32-byte slots in front of the sets.
        unsafe { &*self.at(OVERFLOW_AT).cast() }
    }

    /// The header's offset to Unix time.
    #[inline]
    pub(in crate::store::zone) fn unix_offset(&self) -> &AtomicI64 {
        // SAFETY: as above: eight bytes of the header, at a multiple of eight.
        unsafe { &*self.at(OFFSET_AT).cast() }
    }

    /// By whose clock it is counted: [`CountedBy`](super::counted_by::CountedBy).
    pub(in crate::store::zone) fn counted_by(&self) -> &AtomicU64 {
        // SAFETY: as above.
        unsafe { &*self.at(COUNTED_BY_AT).cast() }
    }

    #[inline]
    fn at(&self, offset: u64) -> *mut u8 {
        // SAFETY: all offsets lie below `SMALLEST`, and no mapping is smaller.
        unsafe { self.memory.as_mut_ptr().add(offset as usize) }
    }
}
