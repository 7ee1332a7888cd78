//! How a call is decided: every verb that may spend comes through here.

use std::sync::MutexGuard;

use super::evict::Room;
use super::queue::WakeUp;
use super::shard::STEPS_ON_INSERT;
use super::{
    Algorithm, Decision, Fingerprint, MemoryStore, Overflow, Patience, Relaxed, Result, Shard,
    Ticket, Ticks, locked,
};
use crate::clock::SECOND;
use crate::decision::Source;
use crate::error;

/// Said of a wait that nobody knows.
const A_GUESS: Ticks = SECOND;

/// One call.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) key: Fingerprint,
    pub(super) cost: u32,
    /// Its number in the key's queue, if it waits there.
    pub(super) number: Option<u64>,
}

impl Call {
    /// Of one who does not wait.
    #[inline]
    pub(super) fn new(key: Fingerprint, cost: u32) -> Self {
        Self {
            key,
            cost,
            number: None,
        }
    }
}

impl From<&Ticket> for Call {
    fn from(ticket: &Ticket) -> Self {
        Self {
            number: Some(ticket.number),
            ..Self::new(ticket.key, ticket.cost)
        }
    }
}

/// What a call came to; the shard of its key is still locked.
pub(super) struct Decided<'a, A: Algorithm, R> {
    pub(super) shard: MutexGuard<'a, Shard<A>>,
    pub(super) now: Ticks,
    pub(super) answer: Answer<R>,
}

pub(super) enum Answer<R> {
    /// Decided by the quota, and spent if it was allowed.
    Made { allowed: bool, told: R },
    /// Others wait for the key and go first.
    Behind,
    /// It says that it waits, and does not.
    Gone,
}

/// What keeps a call from being decided under the lock that is held.
enum Pause {
    /// The key is new and there is no room for it.
    NoRoom,
    /// The first waiter could be admitted, and has to be told.
    Overdue(WakeUp),
}

impl<A: Algorithm> MemoryStore<A> {
    /// Decide, and spend if it is allowed; counting is the caller's.
    ///
    /// `now` is read under the lock. `tell` gets what the decision was made from: the algorithm, the
    /// state after it, the time, and whether it is allowed.
    #[inline]
    pub(super) fn decide<R>(
        &self,
        call: Call,
        now: impl Fn() -> Ticks,
        patience: Patience,
        tell: impl Fn(&A, &A::State, Ticks, bool) -> R,
    ) -> Result<Decided<'_, A, R>> {
        let mut room = Room::Free;
        loop {
            let mut shard = self.lock(call.key, patience)?;
            let now = shard.at(now());
            error::fits(call.cost, shard.rule.limit())?;
            self.tend(&mut shard, now);
            match self.decide_in(&mut shard, call, room, now, patience, &tell)? {
                Ok(answer) => return Ok(Decided { shard, now, answer }),
                Err(pause) => {
                    drop(shard);
                    room = self.resolve(pause, now, patience)?;
                }
            }
        }
    }

    /// Decide while the key's shard is locked, and others may be.
    #[inline]
    fn decide_in<R>(
        &self,
        shard: &mut Shard<A>,
        call: Call,
        room: Room,
        now: Ticks,
        patience: Patience,
        tell: &impl Fn(&A, &A::State, Ticks, bool) -> R,
    ) -> Result<std::result::Result<Answer<R>, Pause>> {
        if shard.has_queue(call.key) || call.number.is_some() {
            match shard.position(call) {
                Some(0) => {}
                None if call.number.is_some() => return Ok(Ok(Answer::Gone)),
                _ => return self.go_behind(shard, call, now, patience),
            }
        }
        if room == Room::Full && shard.find(call.key).is_none() {
            let answer = self.spend_overflow(shard, call.cost, now, patience, tell)?;
            return Ok(Ok(answer));
        }
        let spent = match shard.find_mut(call.key) {
            Some((rule, state)) => {
                let allowed = rule.admit(state, now, call.cost);
                let told = tell(rule, state, now, allowed);
                Some(Answer::Made { allowed, told })
            }
            None => self.first_touch(shard, call, now, tell),
        };
        Ok(spent.ok_or(Pause::NoRoom))
    }

    /// Others go first; one of them who does not come is told before.
    #[cold]
    fn go_behind<R>(
        &self,
        shard: &mut Shard<A>,
        call: Call,
        now: Ticks,
        patience: Patience,
    ) -> Result<std::result::Result<Answer<R>, Pause>> {
        let overdue = self.overdue(shard, call.key, now, patience)?;
        Ok(overdue.map_or(Ok(Answer::Behind), |first| Err(Pause::Overdue(first))))
    }

    /// Without a lock: do what a call is kept up by, and say whether a new key has room then.
    #[cold]
    fn resolve(&self, pause: Pause, now: Ticks, patience: Patience) -> Result<Room> {
        match pause {
            Pause::NoRoom => self.reclaim(now, patience),
            Pause::Overdue(first) => {
                self.wake([first]);
                Ok(Room::Free)
            }
        }
    }

    /// Decide for a key that is not held. `None`: there is no room for it.
    #[inline(never)]
    fn first_touch<R>(
        &self,
        shard: &mut Shard<A>,
        call: Call,
        now: Ticks,
        tell: &impl Fn(&A, &A::State, Ticks, bool) -> R,
    ) -> Option<Answer<R>> {
        self.give_back(shard.sweep(STEPS_ON_INSERT, now));
        let mut state = shard.rule.fresh();
        let allowed = shard.rule.admit(&mut state, now, call.cost);
        // A refused newcomer is as good as unseen: it is not remembered.
        if allowed && !self.reserve_key() {
            return None;
        }
        let told = tell(&shard.rule, &state, now, allowed);
        if allowed {
            let idle_at = now.saturating_add(shard.rule.reset_after(&state, now));
            shard.insert(call.key, state, idle_at);
            self.lock_of(call.key).publish(shard);
        }
        Some(Answer::Made { allowed, told })
    }

    /// Decide for a key that there is no room for.
    #[cold]
    fn spend_overflow<R>(
        &self,
        shard: &Shard<A>,
        cost: u32,
        now: Ticks,
        patience: Patience,
        tell: &impl Fn(&A, &A::State, Ticks, bool) -> R,
    ) -> Result<Answer<R>> {
        let rule = &shard.rule;
        let mut common = locked(&self.overflow_state, patience)?;
        let now = self.overflow_latest.fetch_max(now, Relaxed).max(now);
        self.overflowed.fetch_add(1, Relaxed);
        let mut unseen = rule.fresh();
        let state = match self.overflow {
            Overflow::Share => &mut *common,
            Overflow::Admit => &mut unseen,
        };
        let allowed = rule.admit(state, now, cost) || self.overflow == Overflow::Admit;
        let told = tell(rule, state, now, allowed);
        Ok(Answer::Made { allowed, told })
    }

    /// The decision, for a caller: from the state after it.
    #[inline]
    pub(super) fn decision(
        &self,
        rule: &A,
        state: &A::State,
        now: Ticks,
        cost: u32,
        allowed: bool,
    ) -> Decision {
        let wait = || rule.wait(state, now, cost).unwrap_or(A_GUESS).max(1);
        Decision {
            allowed,
            limit: rule.limit(),
            remaining: rule.remaining(state, now),
            retry_after: if allowed { 0 } else { wait() },
            reset_after: rule.reset_after(state, now),
            at: self.clock.unix(now),
            source: Source::Memory,
        }
    }
}
