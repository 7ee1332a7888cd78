//! The window in as many parts as one word has counters for.

use super::counters::{COUNTERS, Counters};
use super::kind::Kind;
use crate::clock::Ticks;
use crate::error::{Error, Result};
use crate::quota::grouped;

/// Bits of a counter in the layout for limits up to `largest`: all that its number of counters leaves.
pub(super) fn bits_for(largest: u32) -> u8 {
    let needed = u32::BITS - largest.max(1).leading_zeros();
    (COUNTERS / (COUNTERS / needed)).min(u32::BITS) as u8
}

fn counters_for(bits: u8) -> u8 {
    (COUNTERS / u32::from(bits)) as u8
}

/// Into how many parts a word divides the window of a limit up to `largest`: 7 to 1,023, more for
/// smaller ones, and fewer for larger ones: 6 to 2,047, 5 to 8,191, 4 to 65,535, 3 to 1,048,575, 2 to 67,108,863.
#[must_use]
pub fn parts_for(largest: u32) -> u8 {
    counters_for(bits_for(largest)) - 1
}

/// How much later than in an exact log a unit may be back, where the word is laid out for a limit
/// of `largest`: the length of a part.
#[must_use]
pub fn lateness(largest: u32, window: Ticks) -> Ticks {
    window.div_ceil(parts_for(largest).into())
}

/// The largest limit that the word holds in so many parts; 0 if in none.
#[must_use]
pub fn largest_limit(parts: u8) -> u32 {
    let bits = COUNTERS / (u32::from(parts) + 1);
    u32::MAX
        .checked_shr(32_u32.saturating_sub(bits))
        .unwrap_or(0)
}

impl Counters {
    /// Segments of a window, with counters of so many bits.
    #[must_use]
    pub fn segments(limit: u32, window: Ticks, bits: u8) -> Self {
        let counters = counters_for(bits);
        let part = window.div_ceil(Ticks::from(counters - 1));
        Self {
            kind: Kind::SegmentedWindow,
            limit,
            window,
            part,
            ahead: 0,
            lasts: part + window - 1,
            bits,
            counters,
        }
    }
}

/// Segments by the layout of the zone, or by the one for this limit.
pub(super) fn laid_out(limit: u32, window: Ticks, bits: Option<u8>) -> Result<Counters> {
    let this = Counters::segments(limit, window, bits.unwrap_or_else(|| bits_for(limit)));
    if limit > this.most() {
        return Err(too_large(&this, limit));
    }
    Ok(this)
}

fn too_large(this: &Counters, limit: u32) -> Error {
    let range = format!(
        "an int from 1 to {}, the most that its counters hold as it is laid out in the zone, in {} parts: name \
         'fixed_window' or 'sliding_counter', which have room for any; or lay it out for the largest of all \
         keys (largest={}; in a Gate or a policy the largest quota that is declared), under another name or in a new \
         zone",
        grouped(this.most()),
        this.counters - 1,
        grouped(limit).replace(',', "_"),
    );
    Error::out_of_range("limit", &grouped(limit), range)
}
