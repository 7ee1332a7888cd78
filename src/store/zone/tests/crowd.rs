//! Four workers, what is done to them, and what is left of the zone afterwards.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Scratch;
use super::oracle::{Oracle, Shape, Verdict, WINDOW};
use super::worker::{Orders, limit_of};
use crate::store::zone::Zone;
use crate::store::zone::file::layout::{SETS_AT, SLOT};
use crate::store::zone::table::slot::{Flag, WAYS};

pub(super) const WORKERS: usize = 4;

/// A worker that has not answered for so long is stuck, however busy the machine is.
const STUCK: Duration = Duration::from_secs(20);

/// From one blow to the next, on average.
const PAUSE: Duration = Duration::from_millis(15);

/// What a test is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Test {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) slots: u64,
    /// How long an epoch lasts, unless the workers begin the next one.
    pub(super) epoch: Duration,
    pub(super) harm: Harm,
    pub(super) is_mutant: bool,
}

/// What is done to the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harm {
    /// So many SIGKILLs at random moments.
    Kills(u32),
    /// So many pauses by SIGSTOP, until the others have gone on.
    Stops(u32),
    /// So many deaths, at one step of insert, settle or spend in so many.
    DiesAtSteps(u32, u32),
    /// Sleeps of 8 ms at one step in so many, for so long.
    SleepsAtSteps(u32, Duration),
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) deaths: u64,
    /// Pauses in which nobody else got an answer.
    pub(super) stood_still: u32,
}

struct Crowd {
    orders: Orders,
    oracle: Arc<Oracle>,
    zone: Arc<Zone>,
    workers: Vec<Child>,
    deaths: u64,
    stood_still: u32,
    _scratch: Scratch,
}

/// Run a test and say what it has found; panics if a worker or a key is stuck, or a slot lost.
pub(super) fn run(test: &Test) -> Outcome {
    let mut crowd = Crowd::gather(test);
    let began = Instant::now();
    match test.harm {
        Harm::Kills(kills) => crowd.repeat(kills, PAUSE, Crowd::kill),
        Harm::Stops(stops) => crowd.repeat(stops, PAUSE, Crowd::stop),
        Harm::DiesAtSteps(deaths, _) => {
            while crowd.deaths < deaths.into() {
                crowd.repeat(1, PAUSE / 10, Crowd::replace_the_dead);
            }
        }
        Harm::SleepsAtSteps(_, span) => {
            while began.elapsed() < span {
                crowd.repeat(1, PAUSE, |_| ());
            }
        }
    }
    crowd.send_home();
    let outcome = Outcome {
        verdict: crowd.oracle.verdict(),
        deaths: crowd.deaths,
        stood_still: crowd.stood_still,
    };
    if !test.is_mutant {
        crowd.no_key_is_there_twice();
    }
    let left = crowd.left_over();
    crowd.tell(test, &outcome, left, began.elapsed());
    if !test.is_mutant {
        crowd.every_slot_can_be_had();
    }
    outcome
}

impl Crowd {
    fn gather(test: &Test) -> Self {
        let scratch = Scratch::new();
        let place = scratch.place(SETS_AT + test.slots * SLOT);
        let zone = Zone::open(&place).expect("a new zone");
        let orders = Orders {
            directory: scratch.path().to_owned(),
            shape: test.shape,
            faults: faults(test),
        };
        let oracle = Arc::new(orders.oracle());
        let_time_pass(&oracle, test.epoch);
        let workers = (0..WORKERS).map(|worker| orders.start(worker)).collect();
        let crowd = Self {
            orders,
            oracle,
            zone,
            workers,
            deaths: 0,
            stood_still: 0,
            _scratch: scratch,
        };
        let give_up_at = Instant::now() + STUCK;
        while crowd.oracle.checks() == 0 {
            assert!(Instant::now() < give_up_at, "no worker has begun");
            std::thread::sleep(Duration::from_millis(1));
        }
        crowd
    }

    /// Do something so many times, every `pause` on average.
    fn repeat(&mut self, times: u32, pause: Duration, act: fn(&mut Self)) {
        let mut seen = self.beats();
        for _ in 0..times {
            std::thread::sleep(pause.mul_f64(2.0 * random()));
            act(self);
            self.watch(&mut seen);
        }
    }

    fn beats(&self) -> Vec<(u64, Instant)> {
        let now = Instant::now();
        (0..WORKERS)
            .map(|worker| (self.oracle.beats(worker), now))
            .collect()
    }

    fn watch(&self, seen: &mut [(u64, Instant)]) {
        for (worker, (beats, at)) in seen.iter_mut().enumerate() {
            let now = self.oracle.beats(worker);
            if now > *beats {
                (*beats, *at) = (now, Instant::now());
            }
            assert!(at.elapsed() < STUCK, "worker {worker} is stuck");
        }
    }

    fn kill(&mut self) {
        let worker = random_worker();
        self.workers[worker].kill().expect("alive");
        self.replace(worker);
    }

    fn replace(&mut self, worker: usize) {
        self.workers[worker].wait().expect("our child");
        self.deaths += 1;
        self.workers[worker] = self.orders.start(worker);
    }

    fn replace_the_dead(&mut self) {
        for worker in 0..WORKERS {
            if self.workers[worker]
                .try_wait()
                .expect("our child")
                .is_some()
            {
                self.replace(worker);
            }
        }
    }

    fn stop(&mut self) {
        let worker = random_worker();
        let send = |signal| {
            let id = Pid::from_child(&self.workers[worker]);
            kill_process(id, signal).expect("alive");
        };
        send(Signal::STOP);
        let (before, began) = (self.oracle.checks(), Instant::now());
        std::thread::sleep(PAUSE);
        // What the stopped one had begun may be counted, so more than one. On a busy machine the
        // others may have to wait for a processor, but never for the stopped one.
        let stand_still = || self.oracle.checks() <= before + 1;
        while stand_still() && began.elapsed() < STUCK {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.stood_still += u32::from(stand_still());
        send(Signal::CONT);
    }

    fn send_home(&mut self) {
        self.oracle.end();
        let give_up_at = Instant::now() + STUCK;
        for worker in &mut self.workers {
            while worker.try_wait().expect("our child").is_none() {
                if Instant::now() >= give_up_at {
                    let _ = worker.kill();
                    panic!("a worker is stuck in a check");
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn no_key_is_there_twice(&self) {
        let mut seen = HashSet::new();
        for slot in self.zone.mapping.sets().iter().flat_map(|set| &set.0) {
            let (identity, state) = slot.snapshot();
            if state.is_member() {
                assert!(state.belongs_to(identity), "a member of nobody");
                let key = identity.0 << 16;
                assert!(seen.insert(key), "a key is there twice");
            }
        }
    }

    /// Slots that are neither free nor a member: those who died had begun to take them.
    fn left_over(&self) -> usize {
        let slots = self.zone.mapping.sets().iter().flat_map(|set| &set.0);
        slots
            .filter(|slot| slot.snapshot().1.flag() == Flag::Inserting)
            .count()
    }

    /// After two epochs every key gets its first unit, and every slot a key.
    fn every_slot_can_be_had(&self) {
        let now = self.oracle.now() + 2 * WINDOW;
        let limit = limit_of(&self.zone);
        let slots = self.zone.mapping.sets().len() * WAYS;
        assert_eq!(self.zone.count(limit, now), 0, "a key is in use for ever");
        for key in 0..slots * 4 {
            let key = self.zone.hasher().fingerprint(&key.to_le_bytes());
            let updated = self.zone.update(limit, key, now, &|| now, |seen| {
                let is_new = seen.found.payload >> 56 <= u128::from(now);
                let end = (now / WINDOW + 1) * WINDOW;
                (Some(super::worker::pack(end, 1)), is_new)
            });
            assert!(
                updated.result || updated.tenancy.is_overflow(),
                "a key is stuck"
            );
        }
        assert_eq!(self.zone.count(limit, now), slots, "a slot is lost");
    }

    fn tell(&self, test: &Test, outcome: &Outcome, left: usize, span: Duration) {
        let Verdict {
            over,
            under,
            key_epochs,
        } = outcome.verdict;
        let line = format!(
            "zone, {}{}: {:.1} M checks in {:.1} s, {key_epochs} key-epochs in {} epochs, {} deaths: {over} \
             over, {under} spent and not delivered, {left} insertions left over, {} by the overflow slot, \
             stood still in {}\n",
            test.name,
            if test.is_mutant {
                " (mutant: no settle)"
            } else {
                ""
            },
            millions(self.oracle.checks()),
            span.as_secs_f64(),
            Oracle::epoch(self.oracle.now()) + 1,
            outcome.deaths,
            self.oracle.overflowed(),
            outcome.stood_still,
        );
        // Past the harness, which would keep it to itself.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// The epochs that last for a time.
fn let_time_pass(oracle: &Arc<Oracle>, epoch: Duration) {
    if oracle.shape.rounds > 0 {
        return;
    }
    let oracle = Arc::downgrade(oracle);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(epoch);
            match oracle.upgrade() {
                Some(oracle) if !oracle.is_over() => oracle.jump(oracle.now()),
                _ => return,
            }
        }
    });
}

fn faults(test: &Test) -> Vec<(&'static str, String)> {
    let fault = match test.harm {
        Harm::DiesAtSteps(_, odds) => Some(format!("die:{odds}")),
        Harm::SleepsAtSteps(odds, _) => Some(format!("sleep:{odds}")),
        Harm::Kills(_) | Harm::Stops(_) => None,
    };
    let fault = fault.map(|fault| ("SLUICEGATE_ZONE_FAULTS", fault));
    let mutant = test
        .is_mutant
        .then(|| ("SLUICEGATE_ZONE_MUTANT", "NoSettle".into()));
    fault.into_iter().chain(mutant).collect()
}

fn random_worker() -> usize {
    RandomState::new().build_hasher().finish() as usize % WORKERS
}

/// From 0 to 1.
fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish() as u32;
    f64::from(bits) / f64::from(u32::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "one digit is told")]
fn millions(count: u64) -> f64 {
    count as f64 / 1e6
}
