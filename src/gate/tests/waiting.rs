//! Those who wait at a gate: in order, in time, and nothing spent by who leaves.

mod changes;
mod crowds;
mod deadlines;
mod model;
mod order;

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::*;
use crate::clock::Ticks;
use crate::gate::{GateJoined, GatePolled, GateTicket, Question, Settled};
use crate::store::Wake;

/// Notes that it was rung; who is gone does not hear it.
#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    gone: AtomicBool,
    /// It was rung when nobody was there.
    unheard: AtomicBool,
}

impl Wake for Bell {
    fn wake(&self) -> bool {
        if self.gone.load(SeqCst) {
            self.unheard.store(true, SeqCst);
            return false;
        }
        self.rung.store(true, SeqCst);
        true
    }
}

impl Bell {
    /// Whether it was rung since this was asked last.
    fn was_rung(&self) -> bool {
        self.rung.swap(false, SeqCst)
    }
}

/// One who waits.
struct Waiting {
    ticket: GateTicket,
    bell: Arc<Bell>,
    poll_at: Option<Ticks>,
}

fn questions(gate: &MemoryGate, keys: &[(usize, &str, u32)]) -> Arc<[Question]> {
    let question = |&(limit, name, cost): &(usize, &str, u32)| Question {
        limit,
        key: gate.fingerprint(name.as_bytes()),
        cost,
        quota: None,
    };
    keys.iter().map(question).collect()
}

/// Join with a bell of one's own.
fn join_for(
    gate: &Arc<MemoryGate>,
    keys: &[(usize, &str, u32)],
    timeout: Option<Ticks>,
) -> Result<Waiting, Settled> {
    let bell = Arc::new(Bell::default());
    let wake: Arc<dyn Wake> = bell.clone();
    let questions = questions(gate, keys);
    let joined = gate.join(&questions, (timeout, None), &wake, Patience::Wait);
    match joined.expect("valid") {
        GateJoined::Settled(settled) => Err(settled),
        GateJoined::Queued { ticket, poll_at } => Ok(Waiting {
            ticket,
            bell,
            poll_at,
        }),
        GateJoined::Gone(_) => panic!("the gate was not replaced"),
    }
}

/// Wait for as long as it takes.
fn join(gate: &Arc<MemoryGate>, keys: &[(usize, &str, u32)]) -> Waiting {
    let joined = join_for(gate, keys, None);
    joined.unwrap_or_else(|settled| panic!("{settled:?}"))
}

impl Waiting {
    /// Whether it was admitted; `None`: it still waits.
    fn poll(&self) -> Option<bool> {
        match self.ticket.poll(Patience::Wait).expect("valid") {
            GatePolled::Settled(settled) => Some(settled.verdict.allowed),
            GatePolled::Pending(_) => None,
            GatePolled::Gone => panic!("it does not wait"),
        }
    }
}

fn applicants(gate: &MemoryGate) -> usize {
    let limits = gate.limits().iter();
    limits.map(|limit| limit.store.applicants()).sum()
}
