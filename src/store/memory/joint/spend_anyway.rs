//! Spending without asking: for what was used already.

use crate::algorithm::Algorithm;
use crate::clock::Ticks;
use crate::decision::{Decision, Receipt};
use crate::store::memory::decide::call::Call;
use crate::store::memory::shard::Shard;
use crate::store::memory::shard::kept::Kept;
use crate::store::memory::{MemoryStore, Overflow, Relaxed, locked};
use crate::store::{Ask, Patience, Result};

/// What was spent.
struct Spent {
    decision: Decision,
    is_overflow: bool,
}

impl<A: Algorithm> MemoryStore<A> {
    /// [`JointStore::spend_anyway`](super::JointStore::spend_anyway).
    pub(super) fn spend_unasked(&self, ask: Ask<'_>, patience: Patience) -> Result<Decision> {
        let mut may_have_room = true;
        loop {
            let mut shard = self.lock(ask.key, patience)?;
            let now = shard.at(self.clock.now());
            self.tend(&mut shard, now);
            let mut call = Call::from(ask);
            let spent = if !may_have_room && self.lacks_room(&shard, &mut call) {
                Some(self.overdraw_shared(&shard, ask.cost, now, patience)?)
            } else {
                call.cost = ask.cost; // be it above the limit
                self.overdraw(&mut shard, call, now)?
            };
            if let Some(Spent {
                decision,
                is_overflow,
            }) = spent
            {
                shard.count(true);
                shard.unasked += 1;
                let decision = self.signed(decision, ask.key, &mut shard, is_overflow);
                // Those who wait for the key have to wait longer.
                let first = shard.disturb(ask.key);
                drop(shard);
                self.wake(first);
                return Ok(decision);
            }
            drop(shard);
            may_have_room = self.reclaim(now, patience)?;
        }
    }

    /// Spend from the key's own quota. `None`: there is no room for it.
    fn overdraw(&self, shard: &mut Shard<A>, call: Call<'_>, now: Ticks) -> Result<Option<Spent>> {
        let has_room = match shard.kept(call.key, call.quota) {
            Kept::ByIt(algorithm, state) => {
                return Ok(Some(self.spend_and_tell(algorithm, state, call.cost, now)));
            }
            Kept::ByAnother => shard.change_quota(call.key, call.quota, now)?,
            Kept::No => self.insert_fresh(shard, call, now)?,
        };
        let kept = shard.find_mut(call.key).filter(|_| has_room);
        Ok(kept.map(|(algorithm, state)| self.spend_and_tell(algorithm, state, call.cost, now)))
    }

    /// Take room for a key. False: there is none.
    fn insert_fresh(&self, shard: &mut Shard<A>, call: Call<'_>, now: Ticks) -> Result<bool> {
        let algorithm = shard.asked(call.quota, now)?.algorithm;
        let Some(index) = shard.take_quota(call.quota, now)? else {
            return Ok(false);
        };
        if !self.reserve_key() {
            shard.leave_quota(index);
            return Ok(false);
        }
        shard.insert(call.key, algorithm.fresh(), index, now);
        self.publish(call.key, shard);
        Ok(true)
    }

    /// Spend for a key that there is no room for.
    fn overdraw_shared(
        &self,
        shard: &Shard<A>,
        cost: u32,
        now: Ticks,
        patience: Patience,
    ) -> Result<Spent> {
        let algorithm = &shard.algorithm;
        let mut common = locked(&self.overflow_state, patience)?;
        let now = self.overflow_latest.fetch_max(now, Relaxed).max(now);
        self.overflowed.fetch_add(1, Relaxed);
        self.overflow_spends.fetch_add(1, Relaxed);
        let mut unseen = algorithm.fresh();
        let state = match self.overflow {
            Overflow::Share => &mut *common,
            Overflow::Admit => &mut unseen,
        };
        Ok(Spent {
            is_overflow: true,
            ..self.spend_and_tell(algorithm, state, cost, now)
        })
    }

    fn spend_and_tell(&self, algorithm: &A, state: &mut A::State, cost: u32, now: Ticks) -> Spent {
        let counted = algorithm.spend(state, now, cost);
        let decision = self.decision(algorithm, state, now, counted, true);
        let receipt = Receipt {
            cost: counted, // which may be above the limit
            ..decision.receipt
        };
        Spent {
            decision: Decision {
                receipt,
                ..decision
            },
            is_overflow: false,
        }
    }
}
