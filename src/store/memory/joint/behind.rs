//! A part of a call that others go before, or that may wait itself.

use std::sync::MutexGuard;

use super::take_part::{Locked, Outcome};
use super::{Agree, Fate, Halt, JointResult, Need, Part, Purpose, Queuing, Told};
use crate::algorithm::Algorithm;
use crate::clock::Ticks;
use crate::decision::Decision;
use crate::store::fork::locked;
use crate::store::memory::decide::{A_GUESS, Place};
use crate::store::memory::joint::applicants::{Before, Numbered};
use crate::store::memory::joint::plan::Entry;
use crate::store::memory::queue::Queue;
use crate::store::memory::shard::Shard;
use crate::store::memory::{MemoryStore, Result};

/// What has to be known to give a waiter its place, so that nothing can fail once the others have
/// agreed: by which algorithm it is planned, and when it is admitted if it is refused now.
struct Planned<A> {
    algorithm: A,
    admit_at: Option<Ticks>,
}

impl<A: Algorithm> MemoryStore<A> {
    /// [`JointStore::take_part`](super::JointStore::take_part) of one who may wait, or has met others
    /// who do.
    #[cold]
    #[inline(never)]
    pub(super) fn take_part_of_waiter(
        &self,
        part: &Part<'_>,
        queuing: &Queuing<'_>,
        agree: Agree<'_>,
    ) -> JointResult<Decision> {
        let key = part.ask.key;
        let lock = self.lock_of(key, part.patience)?;
        let mut shard: MutexGuard<'_, Shard<A>> = locked(&lock.shard, part.patience)?;
        let now = shard.at(part.now.unwrap_or_else(|| self.clock.now()));
        let waits_by;
        let mut quota = part.ask.quota;
        if queuing.has_places && !part.is_shadow {
            let kept = shard.quota_of_applicant(key, queuing.number);
            waits_by = kept.ok_or(Halt::Gone)?;
            quota = waits_by.as_deref();
        }
        let locked = Locked {
            store: self,
            part,
            call: Locked::call(&shard, part, quota)?,
            now,
        };
        if part.purpose == Purpose::Look {
            return locked.peek(&mut shard, agree);
        }
        self.tend(&mut shard, now);
        let planned = locked.tell(&mut shard, queuing)?;
        let outcome = locked.decide(&mut shard, agree)?;
        Ok(locked.settle(&mut shard, queuing, &outcome, planned.as_ref()))
    }
}

impl<A: Algorithm> Locked<'_, A> {
    /// Whether somebody goes first.
    #[cold]
    #[inline(never)]
    pub(super) fn is_behind(&self, shard: &mut Shard<A>) -> JointResult<bool> {
        let (store, key) = (self.store, self.call.key);
        if shard.has_queue(key) {
            if let Some(first) = shard.wait_by(self.call)? {
                return Err(Halt::again(Need::Wake(first)));
            }
            let place = store.stand(shard, self.call, self.now, self.part.patience)?;
            if let Place::Behind(Some(overdue)) = place {
                return Err(Halt::again(Need::Wake(overdue)));
            }
            return Ok(true);
        }
        if let Some(first) = shard.wait_jointly_by(self.call)? {
            return Err(Halt::again(Need::Wake(first)));
        }
        // What keys share for which there is no room refuses nobody whose key may get some.
        if self.part.may_have_room && store.is_full() && shard.find(key).is_none() {
            return Err(Halt::again(Need::Room(self.now)));
        }
        self.is_behind_applicants(shard)
    }

    /// Whether somebody goes first who waits for other stores as well.
    pub(super) fn is_behind_applicants(&self, shard: &Shard<A>) -> JointResult<bool> {
        match self.store.before(shard, self.numbered())? {
            Before::Nobody => Ok(false),
            Before::Refused => Ok(true),
            // A look changes nothing, neither the quota that they wait by: a call would wake it first.
            Before::Due(_) if self.part.purpose == Purpose::Look && !self.is_by_theirs(shard) => {
                Ok(true)
            }
            Before::Due(first) => {
                let queuing = self.part.queuing;
                if queuing.is_some_and(|queuing| queuing.is_confirmed(first.number())) {
                    Ok(true)
                } else {
                    Err(Halt::Review(first))
                }
            }
        }
    }

    /// Whether those who wait are decided by the quota of this call.
    fn is_by_theirs(&self, shard: &Shard<A>) -> bool {
        let queue = shard.joint_queue(self.call.key);
        queue.is_none_or(|queue| queue.is_by(self.call.quota))
    }

    /// Others go first.
    #[cold]
    #[inline(never)]
    pub(super) fn refuse_behind(
        &self,
        shard: &mut Shard<A>,
        agree: Agree<'_>,
    ) -> JointResult<Outcome> {
        let decision = self.look_behind(shard)?;
        agree(false)?;
        Ok(Outcome {
            decision,
            spent: false,
            is_overflow: false,
        })
    }

    fn look_behind(&self, shard: &mut Shard<A>) -> Result<Decision> {
        let patience = self.part.patience;
        let look = self.store.look(shard, self.ask(), self.now, patience)?;
        let refused = Decision {
            allowed: false,
            ..look.decision
        };
        if shard.has_queue(self.call.key) {
            return Ok(refused);
        }
        let at = self.store.admit_at_among(shard, self.numbered())?;
        Ok(Decision {
            remaining: 0,
            retry_after: match at {
                Ticks::MAX => A_GUESS,
                at => at.saturating_sub(self.now).max(1),
            },
            ..refused
        })
    }

    /// Without a number it is behind everybody.
    fn numbered(&self) -> Numbered<'_> {
        Numbered {
            call: self.call,
            number: self.part.queuing.map_or(u64::MAX, |queuing| queuing.number),
            now: self.now,
            patience: self.part.patience,
        }
    }

    /// Tell one who may wait when it would be admitted here. `None`: it never has a place here.
    fn tell(&self, shard: &mut Shard<A>, queuing: &Queuing<'_>) -> JointResult<Option<Planned<A>>> {
        if self.part.is_shadow || queuing.applicant.is_none() && !queuing.has_places {
            return Ok(None);
        }
        let (store, one) = (self.store, self.numbered());
        let key = self.call.key;
        let is_behind = shard.has_waiters(key) && self.is_behind(shard)?;
        let admit_at = if shard.has_queue(key) {
            let look = store.look(shard, self.ask(), self.now, self.part.patience)?;
            look.admit_at.unwrap_or(Ticks::MAX)
        } else {
            store.admit_at_among(shard, one)?
        };
        let is_refused = is_behind || admit_at > self.now;
        let would_never_wake = |applicant: &_| would_never_wake(shard, one, applicant);
        queuing.told.set(Told {
            wait: wait_until(admit_at, self.now),
            poll_after: store.poll_after(shard, one, admit_at)?,
            would_never_wake: queuing.applicant.is_some_and(would_never_wake),
        });
        Ok(Some(Planned {
            algorithm: shard.asked(self.call.quota, self.now)?.algorithm,
            admit_at: is_refused.then_some(admit_at),
        }))
    }

    /// Do what the whole call came to.
    fn settle(
        &self,
        shard: &mut Shard<A>,
        queuing: &Queuing<'_>,
        outcome: &Outcome,
        planned: Option<&Planned<A>>,
    ) -> Decision {
        let (key, number) = (self.call.key, queuing.number);
        match (queuing.fate.get(), planned) {
            (Fate::Plain, _) | (Fate::Settled, None) => self.count_plain(shard, outcome),
            (Fate::Settled, Some(_)) => {
                let decision = self.count(shard, outcome);
                let admitted_at = outcome.spent.then_some(self.now);
                queuing.next.set(shard.step_out(key, number, admitted_at));
                decision
            }
            (Fate::Pending { watches }, Some(planned)) => {
                if queuing.has_places {
                    let queue = shard.joint_queue_mut(key);
                    let next = queue.and_then(|queue| queue.set_watches(number, watches));
                    queuing.next.set(next);
                } else if let Some(applicant) = queuing.applicant {
                    let deadline = self.now.saturating_add(queuing.left);
                    let entry = Entry::new(applicant, self.call.cost, deadline, watches);
                    let refused = planned.admit_at.map(|at| (&planned.algorithm, at));
                    shard.line_up(self.call, number, entry, refused);
                }
                outcome.decision
            }
            (Fate::Pending { .. } | Fate::Kept, _) => outcome.decision,
        }
    }
}

/// How long until a time that may be unknown.
fn wait_until(at: Ticks, now: Ticks) -> Ticks {
    match at {
        Ticks::MAX => Ticks::MAX,
        at => at.saturating_sub(now),
    }
}

/// Whether it would block the thread that somebody before it needs.
fn would_never_wake<A: Algorithm>(
    shard: &Shard<A>,
    one: Numbered<'_>,
    applicant: &std::sync::Arc<dyn super::Applicant>,
) -> bool {
    let queue = shard.joint_queue(one.call.key);
    let is_needed = || queue.is_some_and(|queue| queue.needs_this_thread(one.number));
    let single = shard.look_at_queue(one.call.key);
    let is_needed_before = || single.is_some_and(Queue::needs_this_thread);
    applicant.blocks_this_thread() && (is_needed() || is_needed_before())
}
