//! Refunds by receipt: whose spend it was, and whether it has been forgotten since.

pub(super) mod forgotten;
pub(super) mod returned;

use super::{Algorithm, Fingerprint, MemoryStore, Patience, Result, Shard};
use crate::algorithm::Spend;
use crate::decision::{Decision, Receipt};

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
        let cost = if is_overflow {
            0
        } else {
            decision.receipt.cost
        };
        let mark = shard.mark_given(key, &decision.receipt);
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
}
