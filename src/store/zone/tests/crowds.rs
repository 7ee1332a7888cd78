//! Threads and processes that hammer one key: exactly the limit, whatever the algorithm.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::thread;

use super::Scratch;
use crate::algorithm::{AnyAlgorithm, TokenBucket};
use crate::clock::SECOND;
use crate::store::zone::{Place, Zone, ZoneLimiter, in_zone};
use crate::store::{Ask, Patience};

const ROUNDS: usize = 20;
const LIMIT: u32 = 1_000;
const WINDOW: u64 = 1_000_000 * SECOND; // longer than any test
const PROCESSES: usize = 4;
const NAMES: [&str; 5] = [
    "fixed_window",
    "segmented_window",
    "sliding_counter",
    "bucket",
    "permits",
];

fn limiter(zone: &Arc<Zone>, name: &str) -> Arc<dyn ZoneLimiter> {
    let quota = AnyAlgorithm::named(name, LIMIT, WINDOW).unwrap_or_else(|| {
        AnyAlgorithm::TokenBucket(TokenBucket::new(LIMIT, 0.001, LIMIT, 0).expect("valid"))
    });
    in_zone(Arc::clone(zone), name, &quota, None, None).expect("fits")
}

/// Spends until it is refused; how much was admitted.
fn hammer(limiter: &dyn ZoneLimiter, round: usize) -> u32 {
    let key = limiter.fingerprint(format!("round {round}").as_bytes());
    let (mut admitted, mut refused) = (0, 0);
    while refused < 100 {
        let cost = 1 + admitted % 3;
        let ask = Ask::new(key, cost);
        match limiter.is_allowed(ask, None, Patience::Wait) {
            Ok(true) => admitted += cost,
            _ => refused += 1,
        }
        if refused > 0 && limiter.is_allowed(Ask::new(key, 1), None, Patience::Wait) == Ok(true) {
            admitted += 1;
        }
    }
    admitted
}

#[test]
fn eight_threads_admit_exactly_the_limit() {
    let scratch = Scratch::new();
    let zone = Zone::open(&scratch.place(1 << 20)).expect("opens");
    for name in NAMES {
        let limiter = limiter(&zone, name);
        for round in 0..ROUNDS {
            let admitted = thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| hammer(&*limiter, round)))
                    .collect();
                let all = threads
                    .into_iter()
                    .map(|thread| thread.join().expect("ends"));
                all.sum::<u32>()
            });
            assert_eq!(admitted, LIMIT, "{name}, round {round}");
        }
    }
}

const PLACE: &str = "SLUICEGATE_TEST_ZONE";

/// Not a test but one of the processes of the next one.
#[test]
fn a_process() {
    let Some(path) = env::var_os(PLACE) else {
        return;
    };
    let zone = Zone::open(&Place::at(&path)).expect("opens");
    let directory = Path::new(&path).parent().expect("in a directory");
    let limiters = NAMES.map(|name| limiter(&zone, name));
    fs::write(directory.join(format!("ready {}", std::process::id())), "").expect("written");
    while !directory.join("go").exists() {
        thread::yield_now();
    }
    let mut counts = String::new();
    for limiter in &limiters {
        for round in 0..ROUNDS {
            write!(counts, "{} ", hammer(&**limiter, round)).expect("a text");
        }
    }
    fs::write(
        directory.join(format!("done {}", std::process::id())),
        counts,
    )
    .expect("written");
}

#[test]
fn four_processes_admit_exactly_the_limit() {
    let scratch = Scratch::new();
    let place = scratch.place(1 << 20);
    let _zone = Zone::open(&place).expect("opens");
    let process = || {
        let mut command = Command::new(env::current_exe().expect("this test"));
        let test = "store::zone::tests::crowds::a_process";
        command
            .args([test, "--exact", "--quiet"])
            .env(PLACE, &place.path);
        command.stdout(std::process::Stdio::null());
        command.spawn().expect("starts")
    };
    let all: Vec<Child> = (0..PROCESSES).map(|_| process()).collect();
    let named = |start: &str| {
        let files = fs::read_dir(scratch.path()).expect("there");
        let paths = files.map(|file| file.expect("there").path());
        let is_one = |path: &std::path::PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(start))
        };
        paths.filter(is_one).collect::<Vec<_>>()
    };
    while named("ready").len() < PROCESSES {
        thread::yield_now();
    }
    fs::write(scratch.path().join("go"), "").expect("written");
    for mut child in all {
        assert!(child.wait().expect("ends").success());
    }
    let mut sums = vec![0; NAMES.len() * ROUNDS];
    for path in named("done") {
        let counts = fs::read_to_string(path).expect("read");
        for (sum, count) in sums.iter_mut().zip(counts.split_whitespace()) {
            *sum += count.parse::<u32>().expect("a count");
        }
    }
    for (place, sum) in sums.iter().enumerate() {
        assert_eq!(
            *sum,
            LIMIT,
            "{}, round {}",
            NAMES[place / ROUNDS],
            place % ROUNDS
        );
    }
}
