//! Where everything lies in the file.

use crate::store::zone::table::slot::WAYS;

/// The header, a page.
pub(in crate::store::zone) const HEADER: u64 = 4096;
/// 1,024 entries of 64 bytes.
pub(in crate::store::zone) const REGISTRY_AT: u64 = HEADER;
/// 1,024 slots of 32 bytes, and as much again in reserve.
pub(in crate::store::zone) const OVERFLOW_AT: u64 = REGISTRY_AT + (64 << 10);
/// Sets of 256 bytes up to the end.
pub(in crate::store::zone) const SETS_AT: u64 = OVERFLOW_AT + (64 << 10);
/// Bytes a slot.
pub(in crate::store::zone) const SLOT: u64 = 32;
/// Bytes a set.
pub(in crate::store::zone) const SET: u64 = SLOT * WAYS as u64;

/// The smallest zone: one set.
pub(in crate::store::zone) const SMALLEST: u64 = SETS_AT + SET;
/// The largest one: slots are counted in 32 bits.
pub(in crate::store::zone) const LARGEST: u64 = 64 << 30;

/// How many sets a file of that length has.
pub(in crate::store::zone) fn sets(length: u64) -> u64 {
    length.saturating_sub(SETS_AT) / SET
}
