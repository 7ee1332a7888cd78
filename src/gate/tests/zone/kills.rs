//! Processes that die or sleep between any two steps of a call: no limit is over, and each death costs
//! one decision at most.

use std::fs::OpenOptions;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::process::{Child, Command, Stdio};

use super::*;

const STORE: &str = "SLUICEGATE_TEST_GATE";
const FAULTS: &str = "SLUICEGATE_ZONE_FAULTS";
const PROCESSES: usize = 4;
const USERS: u64 = 400;
const ROUTES: u64 = 8;
const PER_USER: u32 = 5;
const PER_ROUTE: u32 = 400;
const ORG: u32 = 1_000;
const WINDOW: Ticks = 1_000_000 * SECOND;

/// Users, routes and one organisation, by the zone's own clock.
fn gate_at(path: &std::path::Path) -> ZoneGate {
    let zone = Zone::open(&crate::store::zone::Place::at(path)).expect("opens");
    let limit = |(name, limit): (&str, u32)| {
        let counter = AnyAlgorithm::named("fixed_window", limit, WINDOW).expect("known");
        let part = part_in_zone(&zone, name, &counter, limit, None).expect("fits");
        ZoneLimit {
            part,
            is_shadow: false,
        }
    };
    let limits = [("user", PER_USER), ("route", PER_ROUTE), ("org", ORG)].map(limit);
    gate_of(limits.into())
}

/// Not a test but one of the processes of the next ones: calls until all is spent, and notes each
/// admission by a byte in a file.
#[test]
fn a_process() {
    let Some(path) = std::env::var_os(STORE) else {
        return;
    };
    let path = std::path::PathBuf::from(path);
    let gate = gate_at(&path);
    let admitted = path.with_extension("admitted");
    let mut admitted = OpenOptions::new()
        .append(true)
        .create(true)
        .open(admitted)
        .expect("opens");
    let random = RandomState::new();
    let mut in_a_row = 0;
    for call in 0_u64.. {
        let mut hasher = random.build_hasher();
        hasher.write_u64(call);
        let number = hasher.finish();
        let (user, route) = (number % USERS, number / USERS % ROUTES);
        let (user, route) = (user.to_string(), route.to_string());
        let keys = [(0, user.as_str(), 1), (1, route.as_str(), 1), (2, "o", 1)];
        if spend(&gate, &keys).0.allowed {
            admitted.write_all(b"1").expect("written");
            in_a_row = 0;
        } else {
            in_a_row += 1;
        }
        if in_a_row == 2_000 {
            break;
        }
    }
}

/// What is spent of users, routes and the organisation in the end; what was admitted; deaths.
fn ran(faults: &str, most_deaths: u32) -> ([u32; 3], u32, u32) {
    let scratch = Scratch::new();
    let place = scratch.place(1 << 20);
    let gate = {
        let _made = Zone::open(&place).expect("opens");
        gate_at(&place.path)
    };
    let process = |faults: &str| -> Child {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command
            .args(["gate::tests::zone::kills::a_process", "--exact", "--quiet"])
            .env(STORE, &place.path)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if !faults.is_empty() {
            command.env(FAULTS, faults);
        }
        command.spawn().expect("starts")
    };
    let mut deaths = 0;
    let mut all: Vec<Child> = (0..PROCESSES).map(|_| process(faults)).collect();
    while let Some(mut child) = all.pop() {
        if !child.wait().expect("ends").success() {
            deaths += 1;
            let next = if deaths < most_deaths { faults } else { "" };
            all.insert(0, process(next));
        }
    }
    let sum = |limit: usize, of: u32, names: u64| {
        let left = (0..names).map(|name| of - left(&gate, limit, &name.to_string()));
        left.sum()
    };
    let spent = [
        sum(0, PER_USER, USERS),
        sum(1, PER_ROUTE, ROUTES),
        ORG - left(&gate, 2, "o"),
    ];
    let noted = std::fs::read(place.path.with_extension("admitted"));
    (spent, noted.expect("there").len() as u32, deaths)
}

#[test]
fn each_death_costs_one_decision_at_most_and_no_limit_is_over() {
    let (spent, admitted, deaths) = ran("die:100", 100);
    println!("gate: {deaths} deaths at steps: spent {spent:?}, admitted {admitted}");
    let (least, most) = (spent.iter().min(), spent.iter().max());
    let apart = most.expect("three") - least.expect("three");
    assert_eq!(spent[2], ORG, "{spent:?}");
    assert!(apart <= deaths, "{spent:?} after {deaths}");
    assert!(
        admitted <= ORG && ORG - admitted <= deaths,
        "{admitted} after {deaths}"
    );
}

#[test]
fn whoever_sleeps_between_two_steps_holds_nobody_up_and_nothing_is_lost() {
    let (spent, admitted, deaths) = ran("sleep:300", 0);
    println!("gate: sleeps at steps: spent {spent:?}, admitted {admitted}");
    assert_eq!((spent, admitted, deaths), ([ORG; 3], ORG, 0));
}
