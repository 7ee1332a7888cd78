//! Permits with a lease. One is counted in the part of the time in which its lease ends, a quarter of a
//! lease long, and counts until the part is over: up to a quarter too long, never too short.

use super::counters::{COUNTERS, Counters};
use super::kind::Kind;
use crate::algorithm::Permits;
use crate::clock::Ticks;
use crate::error::{Error, Result};
use crate::quota::grouped;

const BITS: u8 = 16;
const PER_LEASE: Ticks = 4;

impl Counters {
    /// So many permits at once, of so long a lease.
    #[must_use]
    pub fn permits(limit: u32, lease: Ticks) -> Self {
        let part = lease.div_ceil(PER_LEASE).max(1);
        Self {
            kind: Kind::Permits,
            limit,
            window: lease,
            part,
            // The part that is over at the lease's end, or less than a part later.
            ahead: lease + part - 1,
            lasts: 0,
            bits: BITS,
            counters: (COUNTERS / u32::from(BITS)) as u8,
        }
    }
}

pub(super) fn of(permits: &Permits) -> Result<Counters> {
    let this = Counters::permits(permits.limit, permits.lease);
    if permits.limit > this.most() {
        let range = format!(
            "an int from 1 to {} in a zone: Redis and memory hold more",
            grouped(this.most())
        );
        return Err(Error::out_of_range("limit", &grouped(permits.limit), range));
    }
    Ok(this)
}
