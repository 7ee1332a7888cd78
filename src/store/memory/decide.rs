//! How a call is decided: every verb that may spend comes through here.

pub(super) mod call;
pub(super) mod look;

use std::sync::MutexGuard;

use super::queue::WakeUp;
use super::shard::STEPS_ON_INSERT;
use super::shard::kept::Kept;
use super::{
    Algorithm, Decision, MemoryStore, Overflow, Patience, Relaxed, Result, Shard, Ticks, locked,
};
use crate::clock::SECOND;
use crate::decision::{Receipt, Source};
use crate::error;
use call::Call;

/// Said of a wait that nobody knows.
pub(super) const A_GUESS: Ticks = SECOND;

/// What a call came to; the shard of its key is still locked.
pub(super) struct Decided<'a, A: Algorithm> {
    pub(super) shard: MutexGuard<'a, Shard<A>>,
    pub(super) now: Ticks,
    pub(super) answer: Answer,
    /// Whether it was decided by what keys share for which there is no room.
    pub(super) is_overflow: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// By the quota, and spent.
    Allowed,
    /// By the quota.
    Refused,
    /// Others wait for the key and go first.
    Behind,
    /// It says that it waits, and does not.
    Gone,
}

impl From<bool> for Answer {
    fn from(allowed: bool) -> Self {
        if allowed {
            Self::Allowed
        } else {
            Self::Refused
        }
    }
}

/// Where a call stands among those who wait for its key.
pub(super) enum Place {
    First,
    /// Behind others, the first of whom may have to be woken.
    Behind(Option<WakeUp>),
    Nowhere,
}

/// What gets to know of a decision, where it is not called at once.
type Tell<'a, A> = &'a mut dyn FnMut(&A, &<A as Algorithm>::State, Ticks, bool);

impl<A: Algorithm> MemoryStore<A> {
    /// Decide, and spend if it is allowed; counting is the caller's.
    ///
    /// `now` is read under the lock. `tell` gets what a decision by the quota was made from, if one
    /// was made: the algorithm, the state after it, the time, and whether it is allowed.
    ///
    /// Always inlined, as is what a plain call goes through: a call takes as long as a few moves.
    #[expect(clippy::inline_always, reason = "measured: 20 ns of 120")]
    #[inline(always)]
    pub(super) fn decide(
        &self,
        call: Call<'_>,
        now: impl Fn() -> Ticks,
        patience: Patience,
        mut tell: impl FnMut(&A, &A::State, Ticks, bool),
    ) -> Result<Decided<'_, A>> {
        let mut has_room = true;
        loop {
            let mut shard = self.lock(call.key, patience)?;
            let now = shard.at(now());
            let waits_by;
            let mut call = call;
            if call.number.is_some() {
                waits_by = shard.quota_of_queue(call.key);
                call.quota = waits_by.as_deref();
            }
            error::fits(call.cost, shard.limit(call.quota))?;
            self.tend(&mut shard, now);
            if call.number.is_some() || shard.has_queue(call.key) {
                if let Some(first) = shard.wait_by(call)? {
                    drop(shard);
                    self.wake(Some(first));
                    continue;
                }
                let answer = match self.stand(&mut shard, call, now, patience)? {
                    Place::First => None,
                    Place::Behind(None) => Some(Answer::Behind),
                    Place::Behind(overdue) => {
                        drop(shard);
                        self.wake(overdue);
                        continue;
                    }
                    Place::Nowhere => Some(Answer::Gone),
                };
                if let Some(answer) = answer {
                    let is_overflow = false;
                    return Ok(Decided {
                        shard,
                        now,
                        answer,
                        is_overflow,
                    });
                }
            }
            let is_overflow = !has_room && self.lacks_room(&shard, &mut call);
            let answer = if is_overflow {
                let allowed = self.spend_overflow(&shard, call.cost, now, patience, &mut tell)?;
                Some(allowed.into())
            } else {
                self.spend(&mut shard, call, now, &mut tell)?
            };
            if let Some(answer) = answer {
                return Ok(Decided {
                    shard,
                    now,
                    answer,
                    is_overflow,
                });
            }
            drop(shard);
            has_room = self.reclaim(now, patience)?;
        }
    }

    /// Whether nothing but the overflow policy can decide, as all keys that are held are live. A key
    /// that there is room for, and none for its quota, is decided by the store's own.
    #[cold]
    #[inline(never)]
    pub(super) fn lacks_room(&self, shard: &Shard<A>, call: &mut Call<'_>) -> bool {
        if self.is_full() && shard.find(call.key).is_none() {
            return true;
        }
        if call.quota.is_some_and(|quota| !shard.may_keep(quota)) {
            call.quota = None;
            call.cost = call.cost.min(shard.algorithm.limit());
            self.defaulted.fetch_add(1, Relaxed);
        }
        false
    }

    /// Decide by the key's quota while its shard is locked, and others may be. `None`: the key is new
    /// and there is no room for it, or none for its quota.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(super) fn spend(
        &self,
        shard: &mut Shard<A>,
        call: Call<'_>,
        now: Ticks,
        tell: &mut impl FnMut(&A, &A::State, Ticks, bool),
    ) -> Result<Option<Answer>> {
        match shard.kept(call.key, call.quota) {
            Kept::ByIt(algorithm, state) => {
                let allowed = algorithm.admit(state, now, call.cost);
                tell(algorithm, state, now, allowed);
                Ok(Some(allowed.into()))
            }
            Kept::ByAnother => Self::spend_by_another(shard, call, now, tell),
            Kept::No => self.first_touch(shard, call, now, tell),
        }
    }

    /// Decide for a key that is kept by another quota than it is asked for.
    #[inline(never)]
    fn spend_by_another(
        shard: &mut Shard<A>,
        call: Call<'_>,
        now: Ticks,
        tell: Tell<'_, A>,
    ) -> Result<Option<Answer>> {
        if !shard.change_quota(call.key, call.quota, now)? {
            return Ok(None);
        }
        Ok(shard.find_mut(call.key).map(|(algorithm, state)| {
            let allowed = algorithm.admit(state, now, call.cost);
            tell(algorithm, state, now, allowed);
            allowed.into()
        }))
    }

    #[inline(never)]
    fn first_touch(
        &self,
        shard: &mut Shard<A>,
        call: Call<'_>,
        now: Ticks,
        tell: Tell<'_, A>,
    ) -> Result<Option<Answer>> {
        self.release_keys(shard.sweep(STEPS_ON_INSERT, now));
        let algorithm = shard.asked(call.quota, now)?.algorithm;
        let mut state = algorithm.fresh();
        let allowed = algorithm.admit(&mut state, now, call.cost);
        // A refused newcomer is as good as unseen: it is not remembered.
        if allowed {
            let Some(quota) = shard.take_quota(call.quota, now)? else {
                return Ok(None);
            };
            if !self.reserve_key() {
                shard.leave_quota(quota);
                return Ok(None);
            }
            let idle_at = now.saturating_add(algorithm.reset_after(&state, now));
            tell(&algorithm, &state, now, allowed);
            shard.insert(call.key, state, quota, idle_at);
            self.publish(call.key, shard);
        } else {
            tell(&algorithm, &state, now, allowed);
        }
        Ok(Some(allowed.into()))
    }

    /// Where a call stands in the queue of its key. Whoever is behind wakes a first one that could be
    /// admitted and does not come.
    #[cold]
    #[inline(never)]
    pub(super) fn stand(
        &self,
        shard: &mut Shard<A>,
        call: Call<'_>,
        now: Ticks,
        patience: Patience,
    ) -> Result<Place> {
        Ok(match (call.number, shard.position(call)) {
            (Some(_), Some(0)) => Place::First,
            (Some(_), None) => Place::Nowhere,
            _ => Place::Behind(self.overdue(shard, call.key, now, patience)?),
        })
    }

    /// Decide for a key that there is no room for.
    #[cold]
    #[inline(never)]
    fn spend_overflow(
        &self,
        shard: &Shard<A>,
        cost: u32,
        now: Ticks,
        patience: Patience,
        tell: Tell<'_, A>,
    ) -> Result<bool> {
        let algorithm = &shard.algorithm;
        let cost = cost.min(algorithm.limit()); // which a quota of its own may exceed
        let mut common = locked(&self.overflow_state, patience)?;
        let now = self.overflow_latest.fetch_max(now, Relaxed).max(now);
        self.overflowed.fetch_add(1, Relaxed);
        let mut unseen = algorithm.fresh();
        let state = match self.overflow {
            Overflow::Share => &mut *common,
            Overflow::Admit => &mut unseen,
        };
        let allowed = algorithm.admit(state, now, cost) || self.overflow == Overflow::Admit;
        self.overflow_spends.fetch_add(allowed.into(), Relaxed);
        tell(algorithm, state, now, allowed);
        Ok(allowed)
    }

    /// The decision, for a caller: from the state after it. A cost that a quota of its own allows may be
    /// above the limit of what decides in its place, which takes no more than that.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    pub(super) fn decision(
        &self,
        algorithm: &A,
        state: &A::State,
        now: Ticks,
        cost: u32,
        allowed: bool,
    ) -> Decision {
        let cost = cost.min(algorithm.limit());
        let wait = || algorithm.wait(state, now, cost).unwrap_or(A_GUESS).max(1);
        Decision {
            allowed,
            limit: algorithm.limit(),
            remaining: algorithm.remaining(state, now),
            retry_after: if allowed { 0 } else { wait() },
            reset_after: match algorithm.reset_after(state, now) {
                Ticks::MAX if A::IS_HELD => A_GUESS,
                reset_after => reset_after,
            },
            at: self.clock.unix(now),
            source: Source::Memory,
            receipt: Receipt {
                cost,
                at: now,
                epoch: algorithm.kind_of_marks(),
                ..Receipt::NONE.with_mark(algorithm.mark(state, now))
            },
        }
    }
}
