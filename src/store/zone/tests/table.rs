//! The table alone: which slots keys get, and what every schedule of a few threads does to it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use portable_atomic::AtomicU128;

use super::schedules::{Act, Scene, explore};
use super::worker::pack;
use crate::clock::{SECOND, Ticks};
use crate::store::zone::registry::LimitId;
use crate::store::zone::steps::{Mutant, Step, at};
use crate::store::zone::table::slot::{Identity, Set, Slot, State};
use crate::store::zone::table::{Around, Seat, Table};
use crate::store::{Fingerprint, KeyHasher};

const WINDOW: Ticks = 10 * SECOND;
const LIMIT: LimitId = LimitId(3);

fn sets(count: usize) -> Box<[Set]> {
    let slot = || Slot {
        identity: AtomicU128::new(0),
        state: AtomicU128::new(0),
    };
    (0..count)
        .map(|_| Set(std::array::from_fn(|_| slot())))
        .collect()
}

fn key(number: u64) -> Fingerprint {
    KeyHasher::keyed([1, 2]).fingerprint(&number.to_le_bytes())
}

struct Time(AtomicU64);

impl Around for Time {
    fn now(&self) -> Ticks {
        self.0.load(SeqCst)
    }

    fn is_idle(&self, _: LimitId, payload: u128, now: Ticks) -> bool {
        payload >> 56 <= u128::from(now)
    }
}

/// One table with a clock, and what each of a few keys was given in each of two windows.
struct Play {
    sets: Box<[Set]>,
    time: Time,
    admitted: [[AtomicU32; 2]; 16],
    /// What is there at the start, and what the threads do then.
    before: fn(&Play),
    acts: Vec<fn(&Play)>,
}

/// The limit of a key in a window.
const MOST: u32 = 1;
const START: Ticks = WINDOW * 1_000;

impl Play {
    fn new(before: fn(&Play), acts: &[fn(&Play)]) -> Self {
        Self {
            sets: sets(1),
            time: Time(AtomicU64::new(0)),
            admitted: Default::default(),
            before,
            acts: acts.to_vec(),
        }
    }

    fn seat(&self, number: usize) -> Seat {
        Seat::new(LIMIT, key(number as u64), self.sets.len())
    }

    fn check(&self, number: usize) -> Option<bool> {
        let table = Table(&self.sets);
        let mut spend = |seen: &crate::store::zone::Seen| {
            let (held, end) = (seen.found.payload, (seen.now / WINDOW + 1) * WINDOW);
            let until = (held >> 56) as Ticks;
            let count = if until < end { 0 } else { (held >> 24) as u32 };
            let end = end.max(until);
            let window = (end / WINDOW - START / WINDOW - 1) as usize;
            let new = (count < MOST).then(|| pack(end, count + 1));
            (new, (window, new.is_some()))
        };
        let (seat, now) = (self.seat(number), self.time.now());
        at(Step::Time);
        let updated = table.update(seat, now, &self.time, &mut spend)?;
        let (window, admitted) = updated.result;
        self.admitted[number][window].fetch_add(admitted.into(), SeqCst);
        Some(admitted)
    }

    fn let_time_jump(&self) {
        at(Step::Time);
        self.time.0.fetch_add(WINDOW, SeqCst);
    }

    fn members(&self) -> Vec<Identity> {
        let snapshots = self.sets.iter().flat_map(|set| &set.0).map(Slot::snapshot);
        let is_member = |(identity, state): &(Identity, State)| {
            assert!(!state.is_member() || state.belongs_to(*identity));
            state.is_member()
        };
        snapshots
            .filter(is_member)
            .map(|(identity, _)| identity)
            .collect()
    }
}

impl Scene for Play {
    fn reset(&mut self) {
        self.sets = sets(1);
        self.time = Time(AtomicU64::new(START));
        self.admitted = Default::default();
        (self.before)(self);
    }

    fn acts(&self) -> Vec<Act<'_>> {
        let acts = self.acts.iter();
        acts.map(|&act| Box::new(move || act(self)) as Act)
            .collect()
    }

    fn judge(&self) {
        for (key, windows) in self.admitted.iter().enumerate() {
            for (window, count) in windows.iter().enumerate() {
                let count = count.load(SeqCst);
                assert!(count <= MOST, "key {key} got {count} in window {window}");
            }
        }
        let members = self.members();
        let keys: HashSet<_> = members.iter().map(|identity| identity.0 << 16).collect();
        assert_eq!(keys.len(), members.len(), "a key is there twice");
        // Whatever was left, later each key gets a slot, and each slot a key.
        self.time.0.store(START + 5 * WINDOW, SeqCst);
        let table = Table(&self.sets);
        for number in 0..8 {
            let mut insert = |_: &crate::store::zone::Seen| (Some(pack(START + 9 * WINDOW, 1)), ());
            let seat = self.seat(100 + number);
            let updated = table.update(seat, self.time.now(), &self.time, &mut insert);
            assert!(updated.is_some(), "slot {number} is lost");
        }
        assert_eq!(self.members().len(), 8);
    }
}

/// All slots hold keys that are idle in the second window.
fn full(play: &Play) {
    for number in 8..16 {
        assert_eq!(play.check(number), Some(true));
    }
}

fn full_and_idle(play: &Play) {
    full(play);
    play.time.0.fetch_add(WINDOW + 1_000_000, SeqCst);
}

fn check_0(play: &Play) {
    play.check(0);
}

fn check_1(play: &Play) {
    play.check(1);
}

fn check_8(play: &Play) {
    play.check(8);
}

/// How a play begins, and what its threads do.
type Plot = (fn(&Play), &'static [fn(&Play)]);

/// Try a few plays, with so many preemptions and deaths.
fn try_all(preemptions: usize, deaths: usize, plays: &[Plot]) {
    for (before, acts) in plays {
        let mut play = Play::new(*before, acts);
        let count = explore(&mut play, preemptions, deaths, None);
        let threads = acts.len();
        eprintln!(
            "{threads} threads, {preemptions} preemptions, {deaths} deaths: {count} schedules"
        );
    }
}

/// One key, in an empty table and in one whose keys are to be dropped.
const ONE_KEY: [Plot; 2] = [
    (|_| (), &[check_0, check_0]),
    (full_and_idle, &[check_0, check_0]),
];

/// One key three times, and two keys that want the same slot.
const THREE: [Plot; 2] = [
    (|_| (), &[check_0, check_0, check_0]),
    (full_and_idle, &[check_0, check_1, check_0]),
];

/// Key 8 has spent its all in the first window, and key 0 drops it in the second.
const JUMP: [Plot; 1] = [(full, &[check_8, Play::let_time_jump, check_0])];

#[test]
fn those_who_insert_at_once_agree() {
    try_all(2, 0, &ONE_KEY);
    try_all(1, 0, &THREE);
}

#[test]
fn one_may_die_at_any_step() {
    try_all(0, 1, &THREE);
}

#[test]
fn a_key_may_be_dropped_while_it_is_asked_for() {
    try_all(2, 0, &JUMP);
}

#[test]
#[ignore = "long"]
fn long_schedules() {
    try_all(3, 0, &ONE_KEY);
    try_all(2, 0, &THREE);
    try_all(1, 1, &THREE);
    try_all(3, 0, &JUMP);
}

#[test]
#[should_panic(expected = "got 2 in window 0")]
fn without_settling_two_of_one_key_are_found() {
    let mut play = Play::new(|_| (), &[check_0, check_0]);
    explore(&mut play, 2, 0, Some(Mutant::NoSettle));
}

#[test]
fn a_table_is_filled_well_before_keys_find_no_room() {
    let sets = sets(1 << 10);
    let (table, time) = (Table(&sets), Time(AtomicU64::new(START)));
    let (slots, mut without) = (8 << 10, 0);
    for number in 0..slots * 8 / 10 {
        let seat = Seat::new(LIMIT, key(number), sets.len());
        let mut insert = |_: &crate::store::zone::Seen| (Some(pack(START + WINDOW, 1)), ());
        let updated = table.update(seat, START, &time, &mut insert);
        without += u64::from(updated.is_none());
    }
    // 0.19 % of them on average.
    assert!(without * 100 < slots, "{without} of {slots}");
    assert_eq!(
        table.payloads(LIMIT).count() as u64,
        slots * 8 / 10 - without
    );
    assert_eq!(table.payloads(LimitId(4)).count(), 0);
    table.clear(LimitId(4));
    assert!(table.payloads(LIMIT).count() > 0);
    table.clear(LIMIT);
    assert_eq!(table.payloads(LIMIT).count(), 0);
}

#[test]
fn a_stay_ends_with_the_key() {
    let sets = sets(1);
    let (table, time) = (Table(&sets), Time(AtomicU64::new(START)));
    let seat = Seat::new(LIMIT, key(1), 1);
    let mut one = |_: &crate::store::zone::Seen| (Some(pack(START + WINDOW, 1)), ());
    let first = table
        .update(seat, START, &time, &mut one)
        .expect("room")
        .tenancy;
    assert!(table.update_at(seat, first, START, &mut one).is_some());
    let other = Seat::new(LIMIT, key(2), 1);
    assert!(table.update_at(other, first, START, &mut one).is_none());
    table.remove(seat);
    assert!(table.look(seat).is_none());
    assert!(table.update_at(seat, first, START, &mut one).is_none());
    let second = table
        .update(seat, START, &time, &mut one)
        .expect("room")
        .tenancy;
    assert!(first != second && table.update_at(seat, second, START, &mut one).is_some());
    let nowhere = crate::store::zone::Tenancy::NONE;
    assert!(table.update_at(seat, nowhere, START, &mut one).is_none());
}
