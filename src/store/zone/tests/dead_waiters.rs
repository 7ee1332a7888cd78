//! One who waits and is not there any more holds up its key until its quota is back, and no longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use super::Scratch;
use crate::algorithm::AnyAlgorithm;
use crate::clock::{ManualClock, SECOND};
use crate::store::zone::{Zone, ZoneLimiter, in_zone};
use crate::store::{Ask, Joined, Patience, Polled, Ticket, Wake};

const NOW: Patience = Patience::Wait;

/// One who waits in an event loop, which may be closed.
#[derive(Default)]
struct InLoop {
    is_closed: AtomicBool,
    is_of_this_thread: bool,
    woken: AtomicU32,
}

impl Wake for InLoop {
    fn wake(&self) -> bool {
        self.woken.fetch_add(1, SeqCst);
        !self.is_closed.load(SeqCst)
    }

    fn needs_this_thread(&self) -> bool {
        self.is_of_this_thread
    }
}

/// A thread that waits.
struct Blocked;

impl Wake for Blocked {
    fn wake(&self) -> bool {
        true
    }

    fn blocks_this_thread(&self) -> bool {
        true
    }
}

fn blocked() -> Arc<dyn Wake> {
    Arc::new(Blocked)
}

struct Setting {
    limiter: Arc<dyn ZoneLimiter>,
    clock: Arc<ManualClock>,
    _scratch: Scratch,
}

impl Setting {
    /// A limiter whose only key has spent four of four units, all of which are back after 10 s.
    fn spent() -> Self {
        let scratch = Scratch::new();
        let zone = Zone::open(&scratch.place(1 << 20)).expect("opens");
        let clock = Arc::new(ManualClock::new(1_000_000 * SECOND));
        let quota = AnyAlgorithm::named("fixed_window", 4, 10 * SECOND).expect("known");
        let manual = Some(Arc::clone(&clock));
        let limiter = in_zone(zone, "api", &quota, None, manual).expect("fits");
        let setting = Self {
            limiter,
            clock,
            _scratch: scratch,
        };
        assert!(setting.admits(4));
        setting
    }

    fn ask(&self, cost: u32) -> Ask<'static> {
        Ask::new(self.limiter.fingerprint(b"user:1"), cost)
    }

    fn admits(&self, cost: u32) -> bool {
        let decision = self.limiter.check(self.ask(cost), None, NOW);
        decision.expect("fits").allowed
    }

    fn join(&self, cost: u32, timeout: Option<u64>, wake: &Arc<dyn Wake>) -> Joined {
        let joined = self.limiter.join(self.ask(cost), timeout, wake, NOW);
        joined.expect("somebody would wake it")
    }

    fn queued(&self, cost: u32, timeout: Option<u64>, wake: &Arc<InLoop>) -> Ticket {
        let wake: Arc<dyn Wake> = wake.clone();
        match self.join(cost, timeout, &wake) {
            Joined::Queued { ticket, .. } => ticket,
            Joined::Settled(..) => panic!("it must wait"),
        }
    }

    fn dead(&self, timeout: Option<u64>) -> Ticket {
        let wake = Arc::new(InLoop::default());
        let ticket = self.queued(4, timeout, &wake);
        wake.is_closed.store(true, SeqCst);
        ticket
    }
}

#[test]
fn its_key_is_free_as_soon_as_its_quota_is_back() {
    for timeout in [None, Some(10 * SECOND), Some(60 * SECOND)] {
        let setting = Setting::spent();
        let dead = setting.dead(timeout);
        assert!(!setting.admits(1), "nothing is back yet");
        setting.clock.advance(10 * SECOND);
        let peeked = setting.limiter.peek(setting.ask(4), NOW).expect("fits");
        assert!(peeked.allowed);
        assert!(setting.admits(3));
        let joined = setting.join(1, Some(0), &blocked());
        assert!(matches!(joined, Joined::Settled(decision, _) if decision.allowed));
        assert!(matches!(setting.limiter.poll(&dead, NOW), Ok(Polled::Gone)));
    }
}

#[test]
fn its_deadline_ends_what_it_is_reckoned_to_spend() {
    let setting = Setting::spent();
    let live = Arc::new(InLoop::default());
    let first = setting.queued(2, None, &live);
    setting.dead(Some(20 * SECOND));
    setting.clock.advance(21 * SECOND);
    assert!(
        setting.admits(2),
        "of two units nobody is reckoned to come for"
    );
    assert!(live.woken.load(SeqCst) > 0, "the first is reminded");
    let polled = setting.limiter.poll(&first, NOW);
    assert!(matches!(polled, Ok(Polled::Settled(decision, _)) if decision.allowed));
    assert!(!setting.admits(1));
}

#[test]
fn those_behind_it_find_out() {
    let setting = Setting::spent();
    setting.dead(None);
    let live = Arc::new(InLoop::default());
    let second = setting.queued(2, None, &live);
    setting.clock.advance(10 * SECOND);
    let polled = setting.limiter.poll(&second, NOW);
    assert!(matches!(polled, Ok(Polled::Settled(decision, _)) if decision.allowed));
}

#[test]
fn whoever_is_behind_another_polls_when_it_is_its_turn_by_the_plan() {
    let setting = Setting::spent();
    setting.queued(4, None, &Arc::new(InLoop::default()));
    let wake: Arc<dyn Wake> = Arc::new(InLoop::default());
    let joined = setting.join(4, None, &wake);
    let now = setting.limiter.now();
    let Joined::Queued { ticket, poll_at } = joined else {
        panic!("it must wait");
    };
    assert_eq!(poll_at, Some(now + 20 * SECOND));
    let polled = setting.limiter.poll(&ticket, NOW).expect("in the queue");
    assert!(matches!(polled, Polled::Pending(at) if at == Some(now + 20 * SECOND)));
}

#[test]
fn a_thread_waits_behind_the_dead_of_its_own() {
    let setting = Setting::spent();
    let here = |is_closed| {
        Arc::new(InLoop {
            is_of_this_thread: true,
            is_closed: AtomicBool::new(is_closed),
            ..InLoop::default()
        })
    };
    setting.queued(1, None, &Arc::new(InLoop::default()));
    setting.queued(1, None, &here(true));
    let joined = setting.join(1, None, &blocked());
    assert!(matches!(joined, Joined::Queued { .. }));
    setting.queued(1, None, &here(false));
    assert!(
        setting
            .limiter
            .join(setting.ask(1), None, &blocked(), NOW)
            .is_err()
    );
}
