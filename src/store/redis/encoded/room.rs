//! Decisions, from the room that a script tells.

use redis::Value;

use super::{EncodedQuota, Verb};
use crate::algorithm::TokenBucket;
use crate::clock::Ticks;
use crate::decision::{Decision, Receipt};

impl EncodedQuota {
    /// From the room that is left, or what is missing for `cost` as a negative number.
    pub(super) fn of_bucket(
        &self,
        bucket: &TokenBucket,
        cost: u32,
        room: i64,
        at: Ticks,
    ) -> Decision {
        let (capacity, token, tick) = bucket.grains_of();
        let allowed = room >= 0;
        let short = if allowed { 0 } else { room.unsigned_abs() };
        let missing = if allowed {
            capacity.saturating_sub(room.unsigned_abs())
        } else {
            (capacity + short).saturating_sub(u64::from(cost) * token) // perhaps more than it holds
        };
        let left = capacity.saturating_sub(missing);
        Decision {
            allowed,
            remaining: u32::try_from(left / token).unwrap_or(u32::MAX),
            retry_after: short.div_ceil(tick),
            reset_after: missing.div_ceil(tick),
            ..self.unspent(at)
        }
    }

    /// From a window's reply, which for a log tells its first free slot as well.
    pub(super) fn of_items(
        &self,
        verb: Verb,
        cost: u32,
        items: &[Value],
        at: Ticks,
    ) -> Option<Decision> {
        let number = |index: usize| match items.get(index) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        };
        let of = |index: usize| Ticks::try_from(number(index)?).ok();
        let reset = of(if verb == Verb::FirstFree { 3 } else { 2 })?;
        self.of_window(verb == Verb::Check, cost, (number(0)?, [of(1)?, reset]), at)
    }

    /// From room (or -1 - room), wait and reset. An admission that was spent need not wait, and has a
    /// receipt's mark there.
    pub(super) fn of_window(
        &self,
        is_spent: bool,
        cost: u32,
        (room, [wait, reset]): (i64, [Ticks; 2]),
        at: Ticks,
    ) -> Option<Decision> {
        let allowed = room >= 0;
        let is_spent = allowed && is_spent && !self.are_permits();
        let receipt = is_spent.then(|| self.spent(cost, wait, [0; 2]));
        let left = if allowed { room } else { -1 - room };
        Some(Decision {
            allowed,
            remaining: u32::try_from(left).ok()?,
            retry_after: if is_spent { 0 } else { wait },
            reset_after: reset,
            receipt: receipt.unwrap_or(Receipt::NONE),
            ..self.unspent(at)
        })
    }
}
