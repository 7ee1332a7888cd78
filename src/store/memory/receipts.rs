//! Refunds by receipt: whose spend it was, and whether it has been forgotten since.

pub(super) mod forgotten;
pub(super) mod returned;

use super::{Algorithm, Fingerprint, MemoryStore, Patience, Result, Shard, locked};
use crate::algorithm::Spend;
use crate::decision::{Decision, Receipt};

/// The mark of what is held by a key that there was no room for: it is of all such keys, and never lapses.
const OF_ALL: u128 = u128::MAX;

impl<A: Algorithm> MemoryStore<A> {
    /// The decision with its receipt, once it is counted.
    #[inline]
    pub(super) fn signed(
        &self,
        decision: Decision,
        key: Fingerprint,
        shard: &mut Shard<A>,
        is_overflow: bool,
    ) -> Decision {
        if !decision.allowed {
            return decision;
        }
        let cost = if is_overflow && !A::IS_HELD {
            0
        } else {
            decision.receipt.cost
        };
        let mark = if is_overflow && A::IS_HELD {
            OF_ALL
        } else {
            shard.mark_given(key, &decision.receipt)
        };
        Decision {
            receipt: Receipt {
                cost,
                store: self.number,
                key: key.tag(),
                epoch: shard.epoch.wrapping_add(decision.receipt.epoch),
                number: shard.admitted,
                ..decision.receipt.with_mark(mark)
            },
            ..decision
        }
    }

    /// Give units of one spend back.
    pub(super) fn give_back(
        &self,
        key: Fingerprint,
        receipt: &Receipt,
        units: u32,
        patience: Patience,
    ) -> Result<()> {
        if A::IS_HELD && receipt.mark() == OF_ALL {
            return self.give_back_shared(key, receipt, units, patience);
        }
        self.change(key, patience, |shard, now| {
            if receipt.cost == 0 || shard.forgotten.has(key, receipt.number) {
                return;
            }
            let kind = receipt.epoch.wrapping_sub(shard.epoch);
            let spend = Spend {
                at: receipt.at,
                mark: receipt.mark().saturating_sub(shard.returned.of(key)),
            };
            if let Some((algorithm, state)) = shard.find_mut(key)
                && algorithm.kind_of_marks() == kind
            {
                algorithm.give_back(state, now, spend, units);
            }
        })
    }

    /// Give back what is held of the quota that keys share for which there was no room.
    #[cold]
    fn give_back_shared(
        &self,
        key: Fingerprint,
        receipt: &Receipt,
        units: u32,
        patience: Patience,
    ) -> Result<()> {
        let mut shard = self.lock(key, patience)?;
        let now = shard.at(self.clock.now());
        {
            let mut common = locked(&self.overflow_state, patience)?;
            if shard.algorithm.counts(&common, receipt.at) {
                shard.algorithm.refund(&mut common, now, units);
            }
        }
        drop(shard);
        self.wake_heads();
        Ok(())
    }
}
