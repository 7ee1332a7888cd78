//! What was admitted, counted beside the zone, in memory that outlives every worker.
//!
//! Time stands still until the parent lets it jump one window on, so each admission belongs to one
//! epoch, and no key may have more than the limit in any.

use std::ffi::c_void;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use memmap2::{MmapOptions, MmapRaw};

use crate::clock::{SECOND, Ticks};

/// One epoch.
pub(super) const WINDOW: Ticks = 10 * SECOND;
/// The number of the first one.
const FIRST: u64 = 1_000;
/// Someone was refused.
const REFUSED: u32 = 1 << 31;

/// What a worker has to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) keys: usize,
    pub(super) epochs: usize,
    pub(super) limit: u32,
    /// A worker that has asked for all keys so often lets the next epoch begin; 0: time does.
    pub(super) rounds: usize,
}

pub(super) struct Oracle {
    memory: MmapRaw,
    pub(super) shape: Shape,
}

/// The numbers in front of the counts, by their places.
const NOW: usize = 0;
const IS_OVER: usize = 1;
const BEATS: usize = 8;
const WORKERS: usize = 8;
const OVERFLOWED: usize = 16;
const NUMBERS: usize = 32;

/// What is wrong at the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Admitted beyond the limit.
    pub(super) over: u64,
    /// Refused with less than the limit admitted: how much was missing.
    pub(super) under: u64,
    /// Pairs of a key and an epoch in which somebody asked.
    pub(super) key_epochs: u64,
}

impl Oracle {
    /// Map the file, and make it if it is new.
    pub(super) fn open(path: &Path, shape: Shape) -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .expect("in a scratch directory");
        let length = NUMBERS * 8 + shape.epochs * (shape.keys + 1) * 4;
        file.set_len(length as u64).expect("a sparse file");
        let memory = MmapOptions::new().len(length).map_raw(&file);
        let memory = memory.expect("a mapping");
        let oracle = Self { memory, shape };
        let _ = oracle
            .number(NOW)
            .compare_exchange(0, FIRST * WINDOW + WINDOW / 2, SeqCst, SeqCst);
        oracle
    }

    fn number(&self, place: usize) -> &AtomicU64 {
        assert!(place < NUMBERS);
        let first: *const AtomicU64 = self.memory.as_ptr().cast_mut().cast::<c_void>().cast();
        // SAFETY: within the mapping, aligned, shared as an atomic by all who map it.
        unsafe { &*first.add(place) }
    }

    /// A key's count in an epoch; the place after the last key is the overflow slot's.
    fn count(&self, epoch: usize, key: usize) -> &AtomicU32 {
        assert!(epoch < self.shape.epochs && key <= self.shape.keys);
        let place = NUMBERS * 2 + epoch * (self.shape.keys + 1) + key;
        let first: *const AtomicU32 = self.memory.as_ptr().cast_mut().cast::<c_void>().cast();
        // SAFETY: within the mapping, aligned, shared as an atomic by all who map it.
        unsafe { &*first.add(place) }
    }

    pub(super) fn now(&self) -> Ticks {
        self.number(NOW).load(SeqCst)
    }

    /// The next epoch begins, unless that has happened or it was the last one.
    pub(super) fn jump(&self, from: Ticks) {
        if Self::epoch(from + 2 * WINDOW) < self.shape.epochs {
            let to = from + WINDOW;
            let _ = self.number(NOW).compare_exchange(from, to, SeqCst, SeqCst);
        }
    }

    pub(super) fn epoch(now: Ticks) -> usize {
        (now / WINDOW - FIRST) as usize
    }

    pub(super) fn end(&self) {
        self.number(IS_OVER).store(1, SeqCst);
    }

    pub(super) fn is_over(&self) -> bool {
        self.number(IS_OVER).load(SeqCst) != 0
    }

    /// Count a check of a worker.
    pub(super) fn beat(&self, worker: usize) {
        assert!(worker < WORKERS);
        self.number(BEATS + worker).fetch_add(1, SeqCst);
    }

    pub(super) fn beats(&self, worker: usize) -> u64 {
        self.number(BEATS + worker).load(SeqCst)
    }

    pub(super) fn checks(&self) -> u64 {
        (0..WORKERS).map(|worker| self.beats(worker)).sum()
    }

    pub(super) fn overflowed(&self) -> u64 {
        self.number(OVERFLOWED).load(SeqCst)
    }

    /// A worker has an answer. `key`: `None` if the overflow slot gave it.
    pub(super) fn answered(&self, epoch: usize, key: Option<usize>, admitted: bool) {
        if key.is_none() {
            self.number(OVERFLOWED).fetch_add(1, SeqCst);
        }
        let count = self.count(epoch, key.unwrap_or(self.shape.keys));
        if admitted {
            count.fetch_add(1, SeqCst);
        } else if count.load(SeqCst) & REFUSED == 0 {
            count.fetch_or(REFUSED, SeqCst);
        }
    }

    /// To be asked when all workers have ended.
    pub(super) fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for epoch in 0..=Self::epoch(self.now()) {
            for key in 0..=self.shape.keys {
                let count = self.count(epoch, key).load(SeqCst);
                let (admitted, was_refused) = (count & !REFUSED, count & REFUSED != 0);
                verdict.key_epochs += u64::from(count > 0);
                verdict.over += u64::from(admitted.saturating_sub(self.shape.limit));
                if was_refused {
                    verdict.under += u64::from(self.shape.limit.saturating_sub(admitted));
                }
            }
        }
        verdict
    }
}
