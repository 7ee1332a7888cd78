//! The verbs of those who wait.

use std::sync::{Arc, MutexGuard};

use crate::error::Error;
use crate::store::memory::decide::call::Call;
use crate::store::memory::decide::look::Live;
use crate::store::memory::decide::{Answer, Decided};
use crate::store::memory::queue::{Waiter, WakeUp};
use crate::store::memory::shard::kept::Asked;
use crate::store::memory::{
    Algorithm, Ask, Decision, Fingerprint, MemoryStore, Patience, Relaxed, Result, Shard, Stop,
    Ticks, locked, locked_now,
};
use crate::store::{Joined, Polled, Queues, Ticket, Wake};

impl<A: Algorithm> Queues for MemoryStore<A> {
    fn admit_at_once(&self, ask: Ask<'_>, patience: Patience) -> Result<Option<Decision>> {
        let (mut decided, told) = self.decide_fully(ask.into(), patience)?;
        let Some((decision, _)) = told.filter(|_| decided.answer == Answer::Allowed) else {
            return Ok(None);
        };
        decided.shard.count(true);
        Ok(Some(self.signed(
            decision,
            ask.key,
            &mut decided.shard,
            decided.is_overflow,
        )))
    }

    fn join(
        &self,
        ask: Ask<'_>,
        timeout: Option<Ticks>,
        wake: &Arc<dyn Wake>,
        patience: Patience,
    ) -> Result<Joined> {
        let Ask { key, cost, quota } = ask;
        let (decided, told) = self.decide_fully(ask.into(), patience)?;
        let (mut shard, now, is_overflow) = (decided.shard, decided.now, decided.is_overflow);
        if let Some((decision, _)) = told
            && decision.allowed
        {
            shard.count(true);
            let decision = self.signed(decision, key, &mut shard, is_overflow);
            return Ok(Joined::Settled(decision, now));
        }
        let look = self.look(&mut shard, ask, now, patience)?;
        let deadline = timeout.map_or(Ticks::MAX, |timeout| now.saturating_add(timeout));
        if look.admit_at.unwrap_or(now + 1) > deadline {
            shard.count(false);
            return Ok(Joined::Settled(look.decision, now));
        }
        let algorithm = self.planned_by(&shard, ask, now, patience)?;
        let queue = shard.queue_or_new(key);
        if wake.blocks_this_thread() && queue.needs_this_thread() {
            return Err(Error::WouldNeverWake.into());
        }
        if queue.waiters.is_empty() {
            queue.quota = quota.cloned().map(Arc::new);
        }
        let number = self.tickets.fetch_add(1, Relaxed);
        let waiter = Waiter {
            number,
            cost,
            deadline,
            admit_at: look.admit_at.unwrap_or(Ticks::MAX),
            wake: Arc::clone(wake),
        };
        let is_first = queue.waiters.is_empty();
        let mut poll_at = queue.push(waiter, &algorithm);
        if is_first {
            poll_at = self.first_polls_at(&mut shard, key, now, poll_at);
        }
        Ok(Joined::Queued {
            ticket: Ticket { key, cost, number },
            poll_at: (poll_at < Ticks::MAX).then_some(poll_at),
        })
    }

    fn poll(&self, ticket: &Ticket, patience: Patience) -> Result<Polled> {
        let (decided, told) = match self.decide_fully(ticket.into(), patience) {
            Err(stop @ Stop::Invalid(_)) => {
                self.leave(ticket, patience)?;
                return Err(stop);
            }
            decided => decided?,
        };
        let (mut shard, now, is_overflow) = (decided.shard, decided.now, decided.is_overflow);
        let Some((told, admit_at)) = told else {
            return match decided.answer {
                Answer::Behind => self.poll_behind(shard, ticket, now, patience),
                _ => Ok(Polled::Gone),
            };
        };
        let deadline = shard.first_deadline(ticket.key);
        // A wait that has grown beyond the deadline is refused at once, as on joining.
        if !told.allowed && admit_at.unwrap_or(now + 1) <= deadline {
            let again = admit_at.unwrap_or(deadline);
            let again = self.first_polls_at(&mut shard, ticket.key, now, again);
            return Ok(Polled::Pending((again < Ticks::MAX).then_some(again)));
        }
        shard.count(told.allowed);
        let told = self.signed(told, ticket.key, &mut shard, is_overflow);
        let removed = shard.dequeue(ticket.key, 0, told.allowed.then_some(now));
        drop(shard);
        self.wake(removed.next);
        self.offer_room();
        Ok(Polled::Settled(told, now))
    }

    fn leave(&self, ticket: &Ticket, patience: Patience) -> Result<()> {
        // Whatever the wall clock did meanwhile: this changes nothing but the queue.
        let Some(lock) = self.made_lock_of(ticket.key) else {
            return Ok(());
        };
        let mut shard = locked(&lock.shard, patience)?;
        if let Some(position) = shard.position(ticket.into()) {
            let removed = shard.dequeue(ticket.key, position, None);
            drop(shard);
            self.wake(removed.next);
        }
        Ok(())
    }
}

/// A decision, and when the call would be admitted; `None`: nobody knows.
type Told = (Decision, Option<Ticks>);

impl<A: Algorithm> MemoryStore<A> {
    fn decide_fully(
        &self,
        call: Call<'_>,
        patience: Patience,
    ) -> Result<(Decided<'_, A>, Option<Told>)> {
        let mut told = None;
        let tell = |algorithm: &A, state: &A::State, now: Ticks, allowed| {
            let wait = algorithm.wait(state, now, call.cost.min(algorithm.limit()));
            let decision = self.decision(algorithm, state, now, call.cost, allowed);
            told = Some((decision, wait.map(|wait| now.saturating_add(wait))));
        };
        let decided = self.decide(call, || self.clock.now(), patience, tell)?;
        Ok((decided, told))
    }

    /// Poll for one who is not the first.
    fn poll_behind(
        &self,
        mut shard: MutexGuard<'_, Shard<A>>,
        ticket: &Ticket,
        now: Ticks,
        patience: Patience,
    ) -> Result<Polled> {
        let &Ticket { key, cost, .. } = ticket;
        let quota = shard.quota_of_queue(key);
        let queue = shard.look_at_queue(key);
        let Some((position, queue)) = shard.position(ticket.into()).zip(queue) else {
            return Ok(Polled::Gone);
        };
        if now < queue.waiters[position].deadline {
            let again = queue.look_again_at(position, now);
            return Ok(Polled::Pending((again < Ticks::MAX).then_some(again)));
        }
        let ask = Ask {
            quota: quota.as_deref(),
            ..Ask::new(key, cost)
        };
        let look = self.look(&mut shard, ask, now, patience)?;
        let removed = shard.dequeue(key, position, None);
        shard.count(false);
        drop(shard);
        self.wake(removed.next);
        let decision = Decision {
            allowed: false,
            ..look.decision
        };
        Ok(Polled::Settled(decision, now))
    }

    /// By which a call that waits is planned: the quota that it asks for, or the one that new keys share.
    fn planned_by(
        &self,
        shard: &Shard<A>,
        ask: Ask<'_>,
        now: Ticks,
        patience: Patience,
    ) -> Result<A> {
        let asked = shard.asked(ask.quota, now)?;
        let live = self.live(shard, ask.key, &asked, ask.cost, now, patience)?;
        Ok(live.algorithm(&shard.algorithm, &asked.algorithm).clone())
    }

    /// When a newcomer would be admitted behind those who wait; `None`: nobody waits for `key`.
    /// `Ticks::MAX`: nobody knows.
    #[inline]
    pub(in crate::store::memory) fn admit_at(
        &self,
        shard: &mut Shard<A>,
        ask: Ask<'_>,
        asked: &Asked<A>,
        now: Ticks,
        patience: Patience,
    ) -> Result<Option<Ticks>> {
        let (key, cost) = (ask.key, ask.cost);
        if !shard.has_queue(key) {
            return Ok(None);
        }
        self.plan(shard, key, now, patience)?;
        let live = self.live(shard, key, asked, cost, now, patience)?;
        let algorithm = live.algorithm(&shard.algorithm, &asked.algorithm);
        let cost = cost.min(algorithm.limit());
        let queue = shard.look_at_queue(key);
        Ok(queue.and_then(|queue| {
            if queue.is_by(ask.quota) {
                queue.admit_at(algorithm, &live, now, cost)
            } else {
                Some(queue.admit_at_under(algorithm, &live, now, cost))
            }
        }))
    }

    /// Make sure that the queue of `key`, if there is one, has a plan.
    fn plan(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        now: Ticks,
        patience: Patience,
    ) -> Result<()> {
        let shared_spends = self.shared_spends(shard, key);
        let queue = shard.look_at_queue(key);
        let Some(queue) = queue.filter(|queue| !queue.is_planned(shared_spends)) else {
            return Ok(());
        };
        let (cost, asked) = (
            queue.first_cost(),
            shard.asked(queue.quota.as_deref(), now)?,
        );
        let elsewhere = match shard.converted(key, &asked, now) {
            Some(state) => Some(Live::Fresh(state)),
            None if shard.find(key).is_some() => None,
            None => Some(self.live_of_newcomer(&asked.algorithm, cost, now, patience)?),
        };
        let algorithm = match &elsewhere {
            Some(live) => live.algorithm(&shard.algorithm, &asked.algorithm).clone(),
            None => asked.algorithm,
        };
        let elsewhere = (elsewhere.as_deref(), shared_spends);
        shard.plan_queue(key, &algorithm, elsewhere, now);
        Ok(())
    }

    /// The first waiter of `key`, if it could be admitted but does not come.
    pub(in crate::store::memory) fn overdue(
        &self,
        shard: &mut Shard<A>,
        key: Fingerprint,
        now: Ticks,
        patience: Patience,
    ) -> Result<Option<WakeUp>> {
        let Some(queue) = shard.look_at_queue(key) else {
            return Ok(None);
        };
        let overdue = {
            let asked = shard.asked(queue.quota.as_deref(), now)?;
            let live = self.live(shard, key, &asked, queue.first_cost(), now, patience)?;
            let algorithm = live.algorithm(&shard.algorithm, &asked.algorithm);
            queue.is_overdue(algorithm, &live, now)
        };
        Ok(match shard.queue(key) {
            Some(queue) if overdue => queue.wake_first_again(now),
            _ => None,
        })
    }

    /// Wake waiters. One who is not there any more loses its place to the next. No lock may be held.
    pub(in crate::store::memory) fn wake(&self, all: impl IntoIterator<Item = WakeUp>) {
        all.into_iter().for_each(|one| self.wake_one(one));
    }

    fn wake_one(&self, one: WakeUp) {
        let mut next = Some(one);
        while let Some(gone) = next.take_if(|one| !one.wake.wake()) {
            let removed = {
                let Some(lock) = self.made_lock_of(gone.key) else {
                    break;
                };
                let mut shard = locked_now(&lock.shard);
                match shard.position(gone.call()) {
                    Some(position) => shard.dequeue(gone.key, position, None),
                    None => break,
                }
            };
            next = removed.next;
        }
    }
}
