//! A limit of a zone, by an algorithm that is known at run time only.

use std::sync::Arc;

use super::joint::ZonePart;
use super::{ZoneLimiter, ZoneStore};
use crate::algorithm::{AnyAlgorithm, FixedWindow, SlidingCounter};
use crate::clock::ManualClock;
use crate::store::zone::Zone;
use crate::store::zone::refusal::Refusal;
use crate::store::zone::word::{BucketWord, Counters};

/// A limit of a zone, for any algorithm that a word holds.
///
/// # Errors
/// As of [`ZoneStore::new`]; and when the algorithm is the exact log.
pub fn in_zone(
    zone: Arc<Zone>,
    name: &str,
    quota: &AnyAlgorithm,
    largest: Option<u32>,
    manual: Option<Arc<ManualClock>>,
) -> Result<Arc<dyn ZoneLimiter>, Refusal> {
    Ok(made(zone, name, quota, largest, manual)?)
}

/// The same as a part of a gate, with room for limits up to the largest.
///
/// # Errors
/// As there.
pub fn part_in_zone(
    zone: &Arc<Zone>,
    name: &str,
    quota: &AnyAlgorithm,
    largest: u32,
    manual: Option<&Arc<ManualClock>>,
) -> Result<Arc<dyn ZonePart>, Refusal> {
    made(
        Arc::clone(zone),
        name,
        quota,
        Some(largest),
        manual.cloned(),
    )
}

fn made(
    zone: Arc<Zone>,
    name: &str,
    quota: &AnyAlgorithm,
    largest: Option<u32>,
    manual: Option<Arc<ManualClock>>,
) -> Result<Arc<dyn ZonePart>, Refusal> {
    Ok(match quota {
        AnyAlgorithm::FixedWindow(_) => {
            ZoneStore::<FixedWindow>::new(zone, name, quota, largest, manual)?
        }
        AnyAlgorithm::SlidingCounter(_) => {
            ZoneStore::<SlidingCounter>::new(zone, name, quota, largest, manual)?
        }
        AnyAlgorithm::TokenBucket(_) => {
            ZoneStore::<BucketWord>::new(zone, name, quota, largest, manual)?
        }
        AnyAlgorithm::SegmentedWindow(_) | AnyAlgorithm::Permits(_) => {
            ZoneStore::<Counters>::new(zone, name, quota, largest, manual)?
        }
        AnyAlgorithm::SlidingLog(_) => {
            let text = "an exact log of times fits no word of a zone: a SegmentedWindow never admits \
                        more than the limit in any window either, and gives units back a part late";
            return Err(Refusal::Argument(text.into()));
        }
    })
}
