//! Which keys a zone may drop.

use super::kind::Kind;
use super::{Counters, Word, token_bucket};
use crate::algorithm::{FixedWindow, SlidingCounter};
use crate::clock::Ticks;

/// Whether such a state cannot be told from that of a key that was never seen.
pub(in crate::store::zone) fn is_idle(
    kind: Kind,
    window: Ticks,
    bits: u8,
    payload: u128,
    now: Ticks,
) -> bool {
    let (window, bits) = (window.max(1), bits.clamp(1, 32)); // whatever lies in a file
    payload == 0
        || match kind {
            Kind::FixedWindow => whole(&FixedWindow::new(1, window), payload, now),
            Kind::SlidingCounter => whole(&SlidingCounter { limit: 1, window }, payload, now),
            Kind::TokenBucket => token_bucket::is_full(payload, now),
            Kind::SegmentedWindow => whole(&Counters::segments(1, window, bits), payload, now),
            Kind::Permits => whole(&Counters::permits(1, window), payload, now),
        }
}

fn whole<W: Word>(algorithm: &W, payload: u128, now: Ticks) -> bool {
    !algorithm.is_ahead(payload, now)
        && algorithm.reset_after(&algorithm.unpack(payload, now), now) == 0
}
