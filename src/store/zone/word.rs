//! How the state of each kind of limit packs into a payload.

use super::registry::Kind;
use crate::clock::Ticks;

/// Whether a key with this payload cannot be told from one that was never seen.
pub(super) fn is_idle(kind: Kind, _window: Ticks, _bits: u8, payload: u128, now: Ticks) -> bool {
    match kind {
        // The window's end, then its count and more.
        Kind::FixedWindow => payload >> 56 <= u128::from(now),
        _ => payload == 0,
    }
}
