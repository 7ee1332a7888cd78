//! Queues: in order, in time, and nothing spent by who leaves.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::*;
use crate::error::Error;
use crate::store::{Joined, Polled, Queues, Ticket, Wake};

#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) rung: AtomicBool,
    pub(super) gone: AtomicBool,
}

impl Wake for Bell {
    fn wake(&self) -> bool {
        self.rung.store(true, SeqCst);
        !self.gone.load(SeqCst)
    }
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ticket: Ticket,
    pub(super) bell: Arc<Bell>,
}

/// A place in the queue of `name` and when to poll, or what came at once.
pub(super) fn join_as<A: Algorithm>(
    store: &MemoryStore<A>,
    name: &str,
    cost: u32,
    timeout: Option<Ticks>,
) -> std::result::Result<(Waiting, Option<Ticks>), Decision> {
    let bell = Arc::new(Bell::default());
    let wake: Arc<dyn Wake> = bell.clone();
    match store
        .join(
            Ask::new(key(store, &name), cost),
            timeout,
            &wake,
            Patience::Wait,
        )
        .unwrap()
    {
        Joined::Settled(decision, _) => Err(decision),
        Joined::Queued { ticket, poll_at } => Ok((Waiting { ticket, bell }, poll_at)),
    }
}

pub(super) fn poll_as<A: Algorithm>(store: &MemoryStore<A>, waiting: &Waiting) -> Polled {
    let polled = store.poll(&waiting.ticket, Patience::Wait);
    polled.unwrap()
}

fn join<A: Algorithm>(
    store: &MemoryStore<A>,
    cost: u32,
    timeout: Option<Ticks>,
) -> std::result::Result<Waiting, Decision> {
    join_as(store, "k", cost, timeout).map(|(waiting, _)| waiting)
}

fn poll<A: Algorithm>(store: &MemoryStore<A>, waiting: &Waiting) -> Option<Decision> {
    match poll_as(store, waiting) {
        Polled::Settled(decision, _) => Some(decision),
        Polled::Pending(_) => None,
        Polled::Gone => panic!("not in the queue"),
    }
}

/// Whether nobody waits for any key.
fn is_empty<A: Algorithm>(store: &MemoryStore<A>) -> bool {
    let mut shards = store.shards.made().map(|lock| locked_now(&lock.shard));
    shards.all(|shard| shard.queues.is_empty())
}

#[test]
fn first_come_first_served_and_nobody_overtakes() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(2, 1.0), options);
    assert!(join(&store, 2, None).is_err_and(|decision| decision.allowed));
    let (large, small) = (
        join(&store, 2, None).ok().unwrap(),
        join(&store, 1, None).ok().unwrap(),
    );
    clock.advance(SECOND);
    // One token is there, but the first in line needs two.
    assert!(poll(&store, &small).is_none() && poll(&store, &large).is_none());
    let refused = store
        .check(Ask::new(key(&store, &"k"), 1), None, Patience::Wait)
        .unwrap();
    assert_eq!((refused.allowed, refused.retry_after), (false, 3 * SECOND));
    clock.advance(SECOND);
    assert!(poll(&store, &small).is_none());
    small.bell.rung.store(false, SeqCst);
    assert!(poll(&store, &large).is_some_and(|decision| decision.allowed));
    assert!(small.bell.rung.load(SeqCst), "the next one is woken");
    clock.advance(SECOND);
    assert!(poll(&store, &small).is_some_and(|decision| decision.allowed));
}

#[test]
fn too_short_a_timeout_is_refused_at_once_and_spends_nothing() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(1, 1.0), options);
    assert!(allowed(&store, "k"));
    let first = join(&store, 1, Some(SECOND)).ok().unwrap();
    let refused = join(&store, 1, Some(2 * SECOND - 1)).err().unwrap();
    assert_eq!((refused.allowed, refused.retry_after), (false, 2 * SECOND));
    let second = join(&store, 1, Some(2 * SECOND)).ok().unwrap();
    // Whoever leaves spends nothing: the next one moves up.
    store.leave(&first.ticket, Patience::Wait).unwrap();
    assert!(second.bell.rung.load(SeqCst));
    clock.advance(SECOND);
    assert!(poll(&store, &second).is_some_and(|decision| decision.allowed));
    assert!(is_empty(&store));
}

#[test]
fn refunds_resets_and_quotas_reach_those_who_wait() {
    let (options, _) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(1, 0.001), options);
    let k = key(&store, &"k");
    let changes: [&dyn Fn(); 4] = [
        &|| store.refund(k, 1, Patience::Wait).unwrap(),
        &|| store.reset(k, Patience::Wait).unwrap(),
        &|| store.clear(),
        &|| store.set_algorithm(bucket(2, 0.001)),
    ];
    for change in changes {
        store.clear();
        assert!(allowed(&store, "k"));
        let waiting = join(&store, 1, None).ok().unwrap();
        waiting.bell.rung.store(false, SeqCst);
        change();
        assert!(waiting.bell.rung.load(SeqCst));
        assert!(poll(&store, &waiting).is_some_and(|decision| decision.allowed));
    }
}

#[test]
fn a_cost_that_a_new_quota_can_never_admit_is_an_error_for_its_waiter() {
    let (options, _) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(5, 1.0), options);
    assert!(join(&store, 5, None).is_err());
    let waiting = join(&store, 4, None).ok().unwrap();
    store.set_algorithm(bucket(3, 1.0));
    let impossible = Error::CostAboveLimit { cost: 4, limit: 3 };
    let polled = store.poll(&waiting.ticket, Patience::Wait);
    assert_eq!(polled.unwrap_err(), Stop::from(impossible));
    assert!(is_empty(&store), "it has left");
}

proptest! {
    /// Waiters are admitted in order, each at the first instant that its elders leave it.
    #[test]
    fn a_queue_is_served_as_planned(costs in prop::collection::vec(1..=3_u32, 1..20), given_up in any::<prop::sample::Index>()) {
        let (options, clock) = options(10, Overflow::Share);
        let algorithm = log(3, 10);
        let store = MemoryStore::new(&algorithm, options);
        let mut line: Vec<_> = Vec::new();
        for &cost in &costs {
            if let Ok(waiting) = join(&store, cost, None) {
                line.push((waiting, cost));
            }
        }
        if !line.is_empty() {
            let (gone, _) = line.remove(given_up.index(line.len()));
            store.leave(&gone.ticket, Patience::Wait).unwrap();
        }
        let mut state = store.view(key(&store, &"k"), Patience::Wait, |_, state, _| state.clone()).unwrap();
        let mut at = 0;
        for (waiting, cost) in line {
            at += algorithm.wait(&state, at, cost).expect("time frees it");
            algorithm.admit(&mut state, at, cost);
            if at > clock.now() {
                clock.advance(at - 1 - clock.now());
                prop_assert!(poll(&store, &waiting).is_none());
                clock.advance(1);
            }
            prop_assert!(poll(&store, &waiting).is_some_and(|decision| decision.allowed));
        }
    }
}

#[test]
fn a_waiter_that_is_gone_holds_up_nobody() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(1, 1.0), options);
    assert!(allowed(&store, "k"));
    let vanished: Vec<_> = (0..3)
        .map(|_| join(&store, 1, None).ok().unwrap())
        .collect();
    let last = join(&store, 1, None).ok().unwrap();
    for waiting in &vanished {
        waiting.bell.gone.store(true, SeqCst);
    }
    clock.advance(SECOND);
    assert!(poll(&store, &last).is_some_and(|decision| decision.allowed));
    // The same for a plain call, which rings the first in line once it could be admitted.
    let (wide, idle) = (bucket(1, 1.0), super::options(10, Overflow::Share).0);
    let silent = MemoryStore::new(&wide, idle);
    assert!(allowed(&silent, "k"));
    let vanished = join(&silent, 1, None).ok().unwrap();
    let k = key(&silent, &"k");
    silent.reset(k, Patience::Wait).unwrap();
    assert!(!allowed(&silent, "k"), "somebody may still come");
    vanished.bell.gone.store(true, SeqCst);
    silent.reset(k, Patience::Wait).unwrap();
    assert!(allowed(&silent, "k"));
}

#[test]
fn turns_are_planned_anew_once_waiters_come_late() {
    let (options, clock) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(1, 1.0), options);
    assert!(allowed(&store, "k"));
    let line: Vec<_> = (0..5)
        .map(|_| join(&store, 1, None).ok().unwrap())
        .collect();
    for (place, waiting) in line.iter().take(4).enumerate() {
        clock.advance(SECOND + SECOND / 10);
        assert!(
            poll(&store, waiting).is_some_and(|decision| decision.allowed),
            "{place}"
        );
        // Whoever comes now is told when it would really be admitted: behind all who wait.
        let told = store
            .peek(Ask::new(key(&store, &"k"), 1), Patience::Wait)
            .unwrap();
        let before = line.len() - place - 1;
        assert_eq!(told.retry_after, (before as u64 + 1) * SECOND);
    }
}

struct Here(bool);

impl Wake for Here {
    fn wake(&self) -> bool {
        true
    }

    fn blocks_this_thread(&self) -> bool {
        self.0
    }

    fn needs_this_thread(&self) -> bool {
        !self.0
    }
}

#[test]
fn a_thread_does_not_block_behind_a_waiter_that_needs_it() {
    let (options, _) = options(10, Overflow::Share);
    let store = MemoryStore::new(&bucket(1, 1.0), options);
    assert!(allowed(&store, "k"));
    let k = key(&store, &"k");
    let join = |here: bool| {
        let wake: Arc<dyn Wake> = Arc::new(Here(here));
        store.join(Ask::new(k, 1), None, &wake, Patience::Wait)
    };
    assert!(
        matches!(join(true), Ok(Joined::Queued { .. })),
        "nobody else waits"
    );
    assert!(matches!(join(false), Ok(Joined::Queued { .. })));
    assert!(matches!(
        join(true),
        Err(stop) if stop == Stop::from(Error::WouldNeverWake)
    ));
}

#[test]
fn a_parked_thread_is_woken() {
    let parker = Arc::new(crate::store::Parker::default());
    let other = Arc::clone(&parker);
    let thread = std::thread::spawn(move || other.park(Some(Duration::from_secs(60))));
    parker.wake();
    thread.join().expect("woken");
}
