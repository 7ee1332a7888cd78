//! The order in which all calls of all gates lock: that of the stores.

use super::{LimitAsk, MOST_LIMITS};
use crate::error::{Error, Result};

/// The places in a call in the order of their stores, and how many there are.
#[derive(Clone, Copy)]
pub(super) struct Order {
    pub(super) places: [u8; MOST_LIMITS],
    pub(super) count: usize,
}

impl Order {
    /// The order of a call of a gate whose limits have these places in the order of locks.
    #[inline]
    pub(super) fn of(locks: &[u64], asks: &[LimitAsk<'_>]) -> Result<Self> {
        if asks.len() > MOST_LIMITS {
            let range = "at most 32 in one decision";
            return Err(Error::out_of_range("limits", &asks.len(), range));
        }
        let mut order = Self {
            places: [0; MOST_LIMITS],
            count: 0,
        };
        for (place, ask) in asks.iter().enumerate() {
            let Some(&lock) = locks.get(ask.limit) else {
                let range = format!("one of the gate's {}", locks.len());
                return Err(Error::out_of_range("limit", &ask.limit, range));
            };
            let lock_of = |at: usize| locks[asks[usize::from(order.places[at])].limit];
            // Mostly the order is that of the call.
            let mut at = place;
            while at > 0 && lock_of(at - 1) > lock {
                at -= 1;
            }
            if at > 0 && lock_of(at - 1) == lock {
                return Err(Error::out_of_range(
                    "limit",
                    &ask.limit,
                    "asked once in a call",
                ));
            }
            order.places.copy_within(at..place, at + 1);
            order.places[at] = place as u8;
            order.count += 1;
        }
        Ok(order)
    }
}
