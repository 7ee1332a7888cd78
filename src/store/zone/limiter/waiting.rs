//! The verbs of those who wait. Within this process the first to come for a key is the first to be
//! admitted. Other processes know nothing of it, and wake nobody: the first asks again when it would
//! be admitted if nobody else spent.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::ZoneStore;
use super::queue::{Behind, Waiter};
use crate::clock::Ticks;
use crate::decision::Decision;
use crate::error::{self, Error};
use crate::store::fork::{locked, locked_now};
use crate::store::zone::word::Word;
use crate::store::{
    Ask, Fingerprint, Joined, Patience, Polled, Queues, Result, Stop, Ticket, Wake,
};

impl<W: Word> Queues for ZoneStore<W> {
    fn admit_at_once(&self, ask: Ask<'_>, patience: Patience) -> Result<Option<Decision>> {
        let algorithm = self.by(ask.quota)?;
        error::fits(ask.cost, algorithm.limit())?;
        let now = self.time();
        if self.waiting.load(Relaxed) > 0
            && self
                .refused_behind(&algorithm, ask, now, patience)?
                .is_some()
        {
            return Ok(None);
        }
        let (decision, tenancy) = self.decide(&algorithm, ask, now);
        if !decision.allowed {
            return Ok(None);
        }
        self.counts.count(true, tenancy);
        Ok(Some(decision))
    }

    fn join(
        &self,
        ask: Ask<'_>,
        timeout: Option<Ticks>,
        wake: &Arc<dyn Wake>,
        patience: Patience,
    ) -> Result<Joined> {
        match self.line_up(ask, timeout, wake, patience) {
            Err(Stop::Invalid(error)) if *error == Error::WouldNeverWake => {
                // It may have been for one who is not there any more.
                self.wake_all_of(ask.key);
                self.line_up(ask, timeout, wake, patience)
            }
            joined => joined,
        }
    }

    fn poll(&self, ticket: &Ticket, patience: Patience) -> Result<Polled> {
        let &Ticket { key, cost, number } = ticket;
        let now = self.time();
        let mut behind = locked(&self.behind, patience)?;
        if behind.position(key, number) > Some(0) {
            drop(behind);
            behind = self.those_who_come(key, now, patience)?;
        }
        let Some(position) = behind.position(key, number) else {
            return Ok(Polled::Gone);
        };
        let waiter = behind.queue(key).nth(position);
        let (deadline, quota) =
            waiter.map_or((0, None), |waiter| (waiter.deadline, waiter.quota.clone()));
        let algorithm = match quota {
            Some(quota) => quota.aligned(self.offset()),
            None => self.by(None)?.into_owned(),
        };
        if let Err(error) = error::fits(cost, algorithm.limit()) {
            drop(behind);
            self.leave(ticket, Patience::Wait)?;
            return Err(error.into());
        }
        let ask = Ask::new(key, cost);
        let (decision, tenancy) = if position == 0 {
            let (decision, tenancy) = self.decide(&algorithm, ask, now);
            let again = now.saturating_add(decision.retry_after);
            // A wait that has grown beyond the deadline is refused at once, as on joining.
            if !decision.allowed && again <= deadline {
                return Ok(Polled::Pending((again < Ticks::MAX).then_some(again)));
            }
            (decision, tenancy)
        } else {
            if now < deadline {
                // Those before it that are due have just been told, and tell it when they have gone.
                let planned = self.plan(&behind, &algorithm, ask, (now, position));
                let again = planned.map_or(deadline, |(_, at)| at.min(deadline));
                return Ok(Polled::Pending((again < Ticks::MAX).then_some(again)));
            }
            let (look, ..) = self.look_at(&algorithm, ask, now);
            let refusal = Decision {
                allowed: false,
                retry_after: look.retry_after.max(1),
                ..look
            };
            (refusal, crate::store::zone::Tenancy::NONE)
        };
        self.counts.count(decision.allowed, tenancy);
        self.gone(behind, ticket);
        Ok(Polled::Settled(decision, now))
    }

    fn leave(&self, ticket: &Ticket, patience: Patience) -> Result<()> {
        let behind = locked(&self.behind, patience)?;
        self.gone(behind, ticket);
        Ok(())
    }
}

type Guard<'a, W> = std::sync::MutexGuard<'a, Behind<W>>;

impl<W: Word> ZoneStore<W> {
    fn line_up(
        &self,
        ask: Ask<'_>,
        timeout: Option<Ticks>,
        wake: &Arc<dyn Wake>,
        patience: Patience,
    ) -> Result<Joined> {
        let Ask { key, cost, quota } = ask;
        let algorithm = self.by(quota)?;
        error::fits(cost, algorithm.limit())?;
        let now = self.time();
        let mut behind = self.those_who_come(key, now, patience)?;
        let everybody = usize::MAX;
        let planned = self.plan(&behind, &algorithm, ask, (now, everybody));
        let (decision, at) = if let Some(refused) = planned {
            refused
        } else {
            let (decision, tenancy) = self.decide(&algorithm, ask, now);
            if decision.allowed {
                self.counts.count(true, tenancy);
                return Ok(Joined::Settled(decision, now));
            }
            (decision, now.saturating_add(decision.retry_after))
        };
        let deadline = timeout.map_or(Ticks::MAX, |timeout| now.saturating_add(timeout));
        if at > deadline {
            self.counts.count(false, crate::store::zone::Tenancy::NONE);
            return Ok(Joined::Settled(decision, now));
        }
        let needs_this_thread = |waiter: &Waiter<W>| waiter.wake.needs_this_thread();
        if wake.blocks_this_thread() && behind.queue(key).any(needs_this_thread) {
            return Err(Error::WouldNeverWake.into());
        }
        let number = self.tickets.fetch_add(1, Relaxed);
        let waiter = Waiter {
            number,
            cost,
            deadline,
            quota: quota.map(|_| algorithm.into_owned()),
            wake: Arc::clone(wake),
        };
        behind.push(key, waiter);
        self.waiting.fetch_add(1, Relaxed);
        // Whoever is behind looks at its planned time whether those before it are still there.
        let poll_at = at.min(deadline);
        Ok(Joined::Queued {
            ticket: Ticket { key, cost, number },
            poll_at: (poll_at < Ticks::MAX).then_some(poll_at),
        })
    }

    /// One waits no longer; if it was the first, the next one asks.
    fn gone(&self, mut behind: Guard<'_, W>, ticket: &Ticket) {
        let was_first = behind.remove(ticket.key, ticket.number);
        if was_first.is_some() {
            self.waiting.fetch_sub(1, Relaxed);
        }
        drop(behind);
        if was_first == Some(true) {
            self.wake_first(ticket.key);
        }
    }

    /// The refusal of a call that would only be admitted after somebody who waits for its key here,
    /// and when it would be.
    pub(in crate::store::zone) fn refused_behind(
        &self,
        algorithm: &W,
        ask: Ask<'_>,
        now: Ticks,
        patience: Patience,
    ) -> Result<Option<(Decision, Ticks)>> {
        let behind = self.those_who_come(ask.key, now, patience)?;
        Ok(self.plan(&behind, algorithm, ask, (now, usize::MAX)))
    }

    /// Those who wait, once a first that should have gone by now has been woken: one whose event loop is
    /// closed is not there any more, and would hold up its key for ever.
    fn those_who_come(
        &self,
        key: Fingerprint,
        now: Ticks,
        patience: Patience,
    ) -> Result<Guard<'_, W>> {
        let behind = locked(&self.behind, patience)?;
        if !self.should_have_gone(&behind, key, now) {
            return Ok(behind);
        }
        drop(behind);
        self.wake_first(key);
        locked(&self.behind, patience)
    }

    /// Whether the first who waits for a key would be admitted, or its time is over.
    fn should_have_gone(&self, behind: &Behind<W>, key: Fingerprint, now: Ticks) -> bool {
        let Some(first) = behind.queue(key).next() else {
            return false;
        };
        if first.deadline < now {
            return true;
        }
        let Ok(own) = self.by(None) else {
            return false;
        };
        let by = first.quota.as_ref().unwrap_or(&own);
        let cost = first.cost.min(by.limit());
        let (_, state, now) = self.look_at(by, Ask::new(key, cost), now);
        by.wait(&state, now, cost).unwrap_or(0) == 0
    }

    /// What comes of a call after the first `before` of those who wait, if it is refused; those whose
    /// time is over spend nothing any more.
    fn plan(
        &self,
        behind: &Behind<W>,
        algorithm: &W,
        ask: Ask<'_>,
        (now, before): (Ticks, usize),
    ) -> Option<(Decision, Ticks)> {
        behind.queue(ask.key).next()?;
        let came = now;
        let (look, mut state, now) = self.look_at(algorithm, ask, now);
        let own = self.by(None).ok()?;
        let mut at = now;
        let queue = behind.queue(ask.key).take(before);
        for waiter in queue.filter(|waiter| waiter.deadline >= came) {
            let by = waiter.quota.as_ref().unwrap_or(&own);
            let cost = waiter.cost.min(by.limit());
            at = at.saturating_add(by.wait(&state, at, cost).unwrap_or(0));
            by.spend(&mut state, at, cost);
        }
        at = at.saturating_add(algorithm.wait(&state, at, ask.cost).unwrap_or(0));
        (at > now).then(|| {
            let refusal = Decision {
                allowed: false,
                remaining: 0,
                retry_after: at - now,
                ..look
            };
            (refusal, at)
        })
    }

    /// Wake the first who waits for a key. One who is not there any more loses its place to the
    /// next. No lock may be held.
    pub(in crate::store::zone) fn wake_first(&self, key: Fingerprint) {
        while self.waiting.load(Relaxed) > 0 {
            let first = locked_now(&self.behind).first(key);
            let Some((number, wake)) = first else {
                return;
            };
            if wake.wake() {
                return;
            }
            if locked_now(&self.behind).remove(key, number).is_some() {
                self.waiting.fetch_sub(1, Relaxed);
            }
        }
    }

    /// Wake all who wait for a key. Those who are not there any more lose their places. No lock may be
    /// held.
    fn wake_all_of(&self, key: Fingerprint) {
        let all = locked_now(&self.behind).all_of(key);
        for (number, wake) in all {
            if !wake.wake() && locked_now(&self.behind).remove(key, number).is_some() {
                self.waiting.fetch_sub(1, Relaxed);
            }
        }
    }

    /// Wake the first of each key: what they wait for may have changed.
    pub(in crate::store::zone) fn wake_heads(&self) {
        let keys = locked_now(&self.behind).keys();
        for key in keys {
            self.wake_first(key);
        }
    }

    pub(in crate::store::zone) fn wake_everybody(&self) {
        let everybody = locked_now(&self.behind).everybody();
        for wake in everybody {
            wake.wake();
        }
    }
}
