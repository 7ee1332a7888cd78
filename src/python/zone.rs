//! The shared zone: its file, its limiters and its permits.

mod gate;
mod inspect;
mod limiters;
mod permits;
mod place;
mod token_bucket;

pub(super) use gate::{PyZoneGate, PyZoneGateCall, PyZoneGatePermits};
pub(super) use inspect::inspect_zone;
pub(super) use limiters::{
    PyZoneFixedWindow, PyZoneSegmentedWindow, PyZoneSlidingWindowCounter, zone_lateness,
    zone_parts_for,
};
pub(super) use permits::PyZonePermits;
pub(super) use place::PyZone;
pub(super) use token_bucket::PyZoneTokenBucket;
