//! Waiting until several limits admit at once.
//!
//! A waiter is passed at every limit that would admit it now, and goes before later comers at those
//! that refuse it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use super::errand::{Errand, Intent};
use super::memory::MemoryGate;
use super::{LimitAsk, Verdict};
use crate::clock::Ticks;
use crate::decision::Decision;
use crate::quota::Quota;
use crate::store::{Applicant, Ask, Fate, Fingerprint, Patience, Result, Stop, Wake};

/// What one limit is asked, by a key as its store knows it.
#[derive(Debug, Clone)]
pub struct Question<K = Fingerprint> {
    /// Which limit of the gate, by its place there.
    pub limit: usize,
    /// Of which key.
    pub key: K,
    /// Units.
    pub cost: u32,
    /// By which quota, if it is not the limit's own.
    pub quota: Option<Arc<Quota>>,
}

impl Question {
    /// The same as a gate takes it, with room for the answer.
    #[must_use]
    pub fn ask(&self) -> LimitAsk<'_> {
        let ask = Ask {
            key: self.key,
            cost: self.cost,
            quota: self.quota.as_deref(),
        };
        LimitAsk::new(self.limit, ask)
    }
}

/// A call that is decided.
#[derive(Debug)]
pub struct Settled {
    /// What all limits together say.
    pub verdict: Verdict,
    /// What each of them says, in the order of the questions.
    pub decisions: Vec<Decision>,
}

/// What came of joining.
pub enum GateJoined {
    /// Settled at once.
    Settled(Settled),
    /// It waits.
    Queued {
        /// What to poll with. Dropping it is leaving.
        ticket: GateTicket,
        /// When to poll next, on the gate's clock, unless woken before; `None`: only when woken.
        poll_at: Option<Ticks>,
    },
    /// The gate has been replaced: its waiters join the next one, with this number.
    Gone(u64),
}

/// What came of a poll.
#[derive(Debug)]
pub enum GatePolled {
    /// Settled. It waits no longer.
    Settled(Settled),
    /// Not yet. Poll again at this time on the gate's clock, unless woken before; `None`: only when
    /// woken.
    Pending(Option<Ticks>),
    /// It does not wait: it was settled before, or it lined up in a process of which this one was
    /// forked, or the gate has been replaced.
    Gone,
}

/// What one who waits polls with. Dropping it is leaving.
pub struct GateTicket {
    gate: Arc<MemoryGate>,
    waiter: Arc<Waiter>,
}

/// One who waits, as the stores know it.
struct Waiter {
    number: u64,
    /// Kept alive by the ticket: a store that kept it would keep itself.
    gate: Weak<MemoryGate>,
    questions: Arc<[Question]>,
    /// When it gives up, on the gate's clock; `Ticks::MAX` for never.
    deadline: Ticks,
    wake: Arc<dyn Wake>,
    is_over: AtomicBool,
}

/// In which order callers came, at whichever gate.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

impl MemoryGate {
    /// Admit a call that need not wait. `None`: it may have to; nothing was counted.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn admit_at_once(
        &self,
        asks: &mut [LimitAsk<'_>],
        patience: Patience,
    ) -> Result<Option<Verdict>> {
        let errand = Errand::new(Intent::AdmitAtOnce);
        let verdict = self.send(asks, &errand, patience)?;
        Ok(verdict.filter(|_| errand.fate() == Fate::Plain))
    }

    /// Decide, or wait, unless one of the limits would admit the call after `timeout`.
    ///
    /// `number` is the one that it had at the gate which this one replaces: it keeps its place in the
    /// order of arrival.
    ///
    /// # Errors
    /// As [`check`](Self::check), and when it would block the thread that somebody before it needs.
    pub fn join(
        self: &Arc<Self>,
        questions: &Arc<[Question]>,
        (timeout, number): (Option<Ticks>, Option<u64>),
        wake: &Arc<dyn Wake>,
        patience: Patience,
    ) -> Result<GateJoined> {
        let now = self.now_by_first();
        let waiter = Arc::new(Waiter {
            number: number.unwrap_or_else(next_number),
            gate: Arc::downgrade(self),
            questions: Arc::clone(questions),
            deadline: timeout.map_or(Ticks::MAX, |timeout| now.saturating_add(timeout)),
            wake: Arc::clone(wake),
            is_over: AtomicBool::new(false),
        });
        let applicant: Arc<dyn Applicant> = waiter.clone();
        let errand = Errand::of_newcomer(&applicant, timeout.unwrap_or(Ticks::MAX));
        let asked = self.ask_all(questions, &errand, patience)?;
        if let Some(settled) = asked.filter(|_| errand.fate() == Fate::Settled) {
            return Ok(GateJoined::Settled(settled));
        }
        let ticket = GateTicket {
            gate: Arc::clone(self),
            waiter,
        };
        // Those that waited when it was replaced are woken; later ones find out here.
        if self.is_replaced() {
            return Ok(GateJoined::Gone(ticket.number()));
        }
        Ok(GateJoined::Queued {
            ticket,
            poll_at: errand.poll_after().map(|after| now.saturating_add(after)),
        })
    }

    /// Wake all who wait: their next poll says that they are gone, so that they can join the gate that
    /// replaces this one, with the same number. Who joins this one from now on is gone at once.
    pub fn dismiss_waiters(&self) {
        self.replace();
        for limit in self.limits() {
            limit.store.wake_waiters();
        }
    }

    fn ask_all(
        &self,
        questions: &[Question],
        errand: &Errand<'_>,
        patience: Patience,
    ) -> Result<Option<Settled>> {
        let mut asks: Vec<_> = questions.iter().map(Question::ask).collect();
        let verdict = self.send(&mut asks, errand, patience);
        errand.wake_next();
        Ok(verdict?.map(|verdict| Settled {
            verdict,
            decisions: asks.iter().filter_map(|ask| ask.decision).collect(),
        }))
    }
}

impl GateTicket {
    /// Its place in the order of arrival.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.waiter.number
    }

    /// Ask whether all limits admit it now, and spend from all if so.
    ///
    /// # Errors
    /// [`Stop`]. When its cost is above a limit now, it does not wait any longer.
    pub fn poll(&self, patience: Patience) -> Result<GatePolled> {
        if self.waiter.is_over.load(Relaxed) {
            return Ok(GatePolled::Gone);
        }
        if self.gate.is_replaced() {
            self.leave(patience)?;
            return Ok(GatePolled::Gone);
        }
        let now = self.gate.now_by_first();
        let errand = self.waiter.errand(Intent::Wait, now);
        let asked = self.gate.ask_all(&self.waiter.questions, &errand, patience);
        match asked {
            Ok(None) => Ok(GatePolled::Gone),
            Ok(Some(settled)) if errand.fate() == Fate::Settled => {
                self.waiter.is_over.store(true, Relaxed);
                Ok(GatePolled::Settled(settled))
            }
            Ok(Some(_)) => {
                let poll_at = errand.poll_after().map(|after| now.saturating_add(after));
                Ok(GatePolled::Pending(poll_at))
            }
            Err(Stop::Invalid(error)) => {
                self.leave(patience)?;
                Err(Stop::Invalid(error))
            }
            Err(stop) => Err(stop),
        }
    }

    /// Wait no longer. Nothing is spent; does nothing if it is settled.
    ///
    /// # Errors
    /// [`Stop::Locked`]: it still waits.
    pub fn leave(&self, patience: Patience) -> Result<()> {
        if self.waiter.is_over.load(Relaxed) {
            return Ok(());
        }
        let mut next = Vec::new();
        let left = self.waiter.leave_all(&self.gate, patience, &mut next);
        if left.is_ok() {
            self.waiter.is_over.store(true, Relaxed);
        }
        wake_all(next);
        left
    }
}

impl Drop for GateTicket {
    /// A ticket that was dropped must not hold up anybody.
    fn drop(&mut self) {
        let _ = self.leave(Patience::Wait);
    }
}

impl Waiter {
    /// Of one who waits already.
    fn errand(&self, intent: Intent, now: Ticks) -> Errand<'static> {
        let left = match self.deadline {
            Ticks::MAX => Ticks::MAX,
            deadline => deadline.saturating_sub(now),
        };
        Errand::of_waiter(intent, self.number, left)
    }

    /// Leave every queue, and note who is to be woken for it.
    fn leave_all(
        &self,
        gate: &MemoryGate,
        patience: Patience,
        next: &mut Vec<Arc<dyn Applicant>>,
    ) -> Result<()> {
        for question in &*self.questions {
            let store = &gate.limits()[question.limit].store;
            next.extend(store.step_out(question.key, self.number, patience)?);
        }
        Ok(())
    }
}

impl Wake for Waiter {
    fn wake(&self) -> bool {
        if !self.call() {
            wake_all(self.withdraw());
        }
        true
    }

    fn blocks_this_thread(&self) -> bool {
        self.wake.blocks_this_thread()
    }

    fn needs_this_thread(&self) -> bool {
        self.wake.needs_this_thread()
    }
}

impl Applicant for Waiter {
    fn number(&self) -> u64 {
        self.number
    }

    fn call(&self) -> bool {
        self.wake.wake()
    }

    fn review(&self, patience: Patience) -> Result<bool> {
        let Some(gate) = self.gate.upgrade() else {
            return Ok(true); // its ticket is about to leave
        };
        let errand = self.errand(Intent::Review, gate.now_by_first());
        let reviewed = gate.ask_all(&self.questions, &errand, patience);
        let is_admissible = match reviewed {
            Err(Stop::Locked) => return Err(Stop::Locked),
            // It leaves with an error.
            Err(Stop::Invalid(_)) => true,
            Ok(None) => return Ok(false),
            Ok(Some(_)) => errand.is_admissible(),
        };
        if is_admissible || errand.needs_timer() {
            self.wake();
        }
        Ok(is_admissible)
    }

    fn withdraw(&self) -> Vec<Arc<dyn Applicant>> {
        let mut next = Vec::new();
        if let Some(gate) = self.gate.upgrade() {
            // Nothing stops one who waits for locks.
            let _ = self.leave_all(&gate, Patience::Wait, &mut next);
        }
        next
    }
}

/// Wake all of them, and those who follow one that is gone.
fn wake_all(mut all: Vec<Arc<dyn Applicant>>) {
    while let Some(next) = all.pop() {
        if !next.call() {
            all.extend(next.withdraw());
        }
    }
}
