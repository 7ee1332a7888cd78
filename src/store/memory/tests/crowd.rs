//! Who waits at a full limiter is served as soon as there is room.

use super::queues::{Waiting, join_as, poll_as};
use super::*;
use crate::store::{Polled, Queues};

/// A full store of keys that go idle at 10 s, whose shared quota is spent until 14 s.
fn full(keys: u32, algorithm: &SlidingLog) -> (Arc<MemoryStore<SlidingLog>>, Arc<ManualClock>) {
    let (options, clock) = options(keys as usize, Overflow::Share);
    let store = MemoryStore::new(algorithm, options);
    assert!((0..keys).all(|name| allowed(&store, name)));
    clock.advance(4 * SECOND);
    assert!(allowed(&store, "by the shared quota"));
    assert!(!allowed(&store, "refused by it"));
    (store, clock)
}

/// One who waits with nothing but its own timer and its bell.
struct Sleeper {
    place: Waiting,
    wakes_at: Ticks,
    served_at: Option<Ticks>,
}

struct Night {
    store: Arc<MemoryStore<SlidingLog>>,
    clock: Arc<ManualClock>,
    sleepers: Vec<Sleeper>,
    polls: usize,
}

impl Night {
    fn new((store, clock): (Arc<MemoryStore<SlidingLog>>, Arc<ManualClock>)) -> Self {
        Self {
            store,
            clock,
            sleepers: Vec::new(),
            polls: 0,
        }
    }

    fn falls_asleep(&mut self, name: &str) {
        let (place, poll_at) = join_as(&self.store, name, 1, None).expect("has to wait");
        self.sleepers.push(Sleeper {
            place,
            wakes_at: poll_at.unwrap_or(Ticks::MAX),
            served_at: None,
        });
    }

    /// Everyone whose bell was rung or whose timer has run out polls, until nobody stirs.
    fn stir(&mut self) {
        let now = self.clock.now();
        let stirs = |one: &&mut Sleeper| {
            let rung = one.place.bell.rung.swap(false, SeqCst);
            one.served_at.is_none() && (rung || one.wakes_at <= now)
        };
        while let Some(one) = self.sleepers.iter_mut().find(stirs) {
            self.polls += 1;
            match poll_as(&self.store, &one.place) {
                Polled::Settled(decision, _) => {
                    assert!(decision.allowed);
                    one.served_at = Some(now);
                }
                Polled::Pending(at) => one.wakes_at = at.unwrap_or(Ticks::MAX),
                Polled::Gone => panic!("not in the queue"),
            }
        }
    }

    /// Until `end`. A manual clock rings all when it moves, which no real one does.
    fn sleep_until(&mut self, end: Ticks) {
        loop {
            let awake = self.sleepers.iter().filter(|one| one.served_at.is_none());
            let next = awake.map(|one| one.wakes_at).min().unwrap_or(end).min(end);
            self.clock.advance(next.saturating_sub(self.clock.now()));
            for one in &self.sleepers {
                one.place.bell.rung.store(false, SeqCst);
            }
            self.stir();
            if self.clock.now() >= end {
                return;
            }
        }
    }

    fn served(&self) -> Vec<Option<Ticks>> {
        self.sleepers.iter().map(|one| one.served_at).collect()
    }
}

#[test]
fn a_waiter_is_served_when_a_key_goes_idle_and_not_at_the_shared_quotas_turn() {
    let mut night = Night::new(full(1, &log(1, 10)));
    for name in ["first", "first", "second"] {
        night.falls_asleep(name);
    }
    night.sleep_until(30 * SECOND);
    let served = night.served();
    // The one room goes to the first; its next, and the other key's, come when they can.
    assert!(
        (10 * SECOND..10 * SECOND + 2_000).contains(&served[0].unwrap()),
        "{served:?}"
    );
    assert_eq!(served[1..], [Some(20 * SECOND), Some(14 * SECOND)]);
}

#[test]
fn room_for_all_serves_all_and_few_look_in_vain() {
    let keys = 300;
    let mut night = Night::new(full(keys, &log(1, 10)));
    for name in 0..keys {
        night.falls_asleep(&format!("new {name}"));
    }
    night.sleep_until(10 * SECOND - 1);
    assert_eq!(night.served(), vec![None; keys as usize]);
    let in_vain = night.polls;
    assert!(
        in_vain <= 6 * keys as usize,
        "once a second each: {in_vain}"
    );
    night.sleep_until(11 * SECOND);
    let late = |at: Option<Ticks>| at.expect("served") - 10 * SECOND;
    let latest = night.served().into_iter().map(late).max().unwrap();
    assert!(latest <= SECOND / 100, "{latest}");
    assert!(night.polls - in_vain <= 2 * keys as usize);
}

#[test]
fn a_reset_and_a_refund_make_room_at_once() {
    let (store, clock) = full(2, &log(1, 10));
    let mut night = Night::new((Arc::clone(&store), clock));
    for name in ["a", "b", "c"] {
        night.falls_asleep(name);
    }
    let now = Some(night.clock.now());
    let served = |night: &Night| night.served().iter().filter(|&&at| at == now).count();
    store.reset(key(&store, &0), Patience::Wait).unwrap();
    night.stir();
    assert_eq!(served(&night), 1);
    let refunded = store.refund(key(&store, &1), 1, Patience::Wait);
    refunded.expect("valid");
    night.stir();
    assert_eq!(served(&night), 2);
}

/// Whoever leaves, is gone or gives up keeps no room from the others.
#[test]
fn a_waiter_that_is_gone_leaves_the_room_to_the_next() {
    let (store, clock) = full(1, &log(1, 10));
    let mut night = Night::new((Arc::clone(&store), clock));
    for name in ["gone", "left", "there"] {
        night.falls_asleep(name);
    }
    let left = night.sleepers.remove(1);
    store.leave(&left.place.ticket, Patience::Wait).unwrap();
    let gone = night.sleepers.remove(0);
    gone.place.bell.gone.store(true, SeqCst);
    night.sleep_until(13 * SECOND);
    let at = night.served()[0].expect("served");
    assert!(at <= 10 * SECOND + 10_000, "{at}");
}

#[test]
fn a_plan_is_made_anew_when_another_key_spends_what_they_share() {
    let (options, clock) = options(1, Overflow::Share);
    let store = MemoryStore::new(&log(2, 10), options);
    assert!(allowed(&store, "the only one that there is room for"));
    assert!(allowed(&store, "by the shared quota"));
    let _large = join_as(&store, "k", 2, None).expect("it waits until 10 s");
    let _small = join_as(&store, "k", 1, None).expect("it waits until 20 s");
    clock.advance(5 * SECOND);
    assert!(allowed(&store, "by the shared quota"));
    // So now it is 15 s and 25 s, where one unit is left.
    let told = store.peek(Ask::new(key(&store, &"k"), 1), Patience::Wait);
    assert_eq!(told.expect("valid").retry_after, 20 * SECOND);
}
