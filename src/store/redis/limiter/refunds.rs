//! What is given back, by receipt and not.

use std::sync::Arc;
use std::time::Instant;

use super::{Call, Holders, Receipt, RedisLimiter, Request, Verb, locked_now};
use crate::decision::{Decision, Source};
use crate::store::redis::fallback::refund_here;
use crate::store::{self, Patience};

impl RedisLimiter {
    /// The decision with its receipt, if it has spent what can be given back.
    pub(super) fn signed(&self, call: &Call, decision: Decision) -> Decision {
        if call.verb == Verb::Check && decision.allowed && self.leases.is_none() {
            let receipts = &self.receipts;
            return receipts.signed(&call.key, call.number, call.cost, decision);
        }
        decision
    }

    /// The bits by which receipts know a key.
    #[must_use]
    pub fn tag(&self, key: &[u8]) -> u32 {
        self.receipts.tag(key)
    }

    /// Whether this limiter admitted it, be it in the server's place. What the limiter in this process
    /// admitted bears that one's number, which other limiters may share, and its key our tag.
    #[must_use]
    pub fn is_mine(&self, decision: &Decision, tag: u32) -> bool {
        let receipt = &decision.receipt;
        match decision.source {
            Source::Local => receipt.key == tag,
            _ => self.receipts.has_number(receipt),
        }
    }

    /// A call that redeems a receipt of this limiter. `None`: its spend is known to be forgotten.
    pub fn redemption(
        self: &Arc<Self>,
        key: &[u8],
        receipt: &Receipt,
        units: u32,
    ) -> Option<Request> {
        let quota = locked_now(&self.quotas).of_kind(receipt.epoch)?;
        if self.receipts.is_forgotten(key, receipt) {
            return None;
        }
        let (key, holders, receipt) = (key.to_vec(), Holders::default(), Some(*receipt));
        self.begin(quota, Verb::Refund, key, units, holders, receipt)
            .ok()
    }

    /// How many of these units, which are to be given back, the server was never charged: they
    /// were admitted in its place. They are given back by [`Self::refund_here`], and not there.
    ///
    /// Whose unit is given back nobody knows. To take these first never frees one that was not
    /// charged.
    pub fn take_uncharged(&self, key: &[u8], cost: u32) -> u32 {
        self.uncharged.take(key, cost, Instant::now())
    }

    /// Give units back to the limiter in this process, if there is one.
    ///
    /// # Errors
    /// [`store::Stop`].
    pub fn refund_here(&self, key: &[u8], units: u32, patience: Patience) -> store::Result<()> {
        let local = locked_now(&self.local);
        local
            .as_ref()
            .map_or(Ok(()), |local| refund_here(&**local, key, units, patience))
    }

    /// Give back here what was admitted in the server's place, which was never charged for it.
    ///
    /// # Errors
    /// [`store::Stop`].
    pub fn redeem_here(
        &self,
        key: &[u8],
        receipt: &Receipt,
        units: u32,
        patience: Patience,
    ) -> store::Result<()> {
        let local = locked_now(&self.local);
        let ours = local.as_ref().filter(|local| local.is_mine(receipt));
        ours.map_or(Ok(()), |local| {
            local.refund_spend(local.fingerprint(key), receipt, units, patience)
        })
    }
}
