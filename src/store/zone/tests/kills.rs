//! Deaths, pauses and sleeps at every moment: never more than the limit, nothing stuck, nothing lost.

use std::time::Duration;

use super::crowd::{Harm, Outcome, Test, run};
use super::oracle::Shape;

const SECOND: Duration = Duration::from_secs(1);

/// One key in ample room.
const ONE_KEY: Test = Test {
    name: "1 key",
    shape: Shape {
        keys: 1,
        epochs: 64,
        limit: 200_000,
        rounds: 0,
    },
    slots: 8_192,
    epoch: Duration::from_millis(100),
    harm: Harm::Kills(0),
    is_mutant: false,
};

/// As many keys as find room.
const MANY_KEYS: Test = Test {
    name: "100,000 keys, 131,072 slots",
    shape: Shape {
        keys: 100_000,
        epochs: 64,
        limit: 5,
        rounds: 0,
    },
    slots: 131_072,
    ..ONE_KEY
};

/// More keys than find room.
const TOO_MANY_KEYS: Test = Test {
    name: "400,000 keys, 131,072 slots",
    shape: Shape {
        keys: 400_000,
        epochs: 64,
        limit: 2,
        rounds: 0,
    },
    ..MANY_KEYS
};

/// A table of 8 sets, all of whose slots change hands in every epoch.
const TINY: Test = Test {
    name: "120 keys, 64 slots",
    shape: Shape {
        keys: 120,
        epochs: 40_000,
        limit: 3,
        rounds: 2,
    },
    slots: 64,
    epoch: Duration::MAX,
    ..ONE_KEY
};

/// Keys that all use up their limit in each epoch, in ample room.
const FEW_KEYS: Test = Test {
    name: "1,000 keys, 4,096 slots",
    shape: Shape {
        keys: 1_000,
        epochs: 4_000,
        limit: 2,
        rounds: 2,
    },
    slots: 4_096,
    ..TINY
};

impl Test {
    const fn under(self, harm: Harm) -> Self {
        Self { harm, ..self }
    }

    /// The same with epochs of another length.
    const fn lasting(self, epoch: Duration) -> Self {
        Self { epoch, ..self }
    }
}

fn holds(test: &Test) {
    let Outcome {
        verdict,
        deaths,
        stood_still,
    } = run(test);
    assert_eq!(verdict.over, 0, "{verdict:?}");
    assert!(verdict.under <= deaths, "{verdict:?} after {deaths} deaths");
    assert_eq!(stood_still, 0, "somebody waits for one who is stopped");
}

/// A mutant that no test finds would show that these tests cannot fail.
fn fails(test: &Test) {
    let mutant = Test {
        is_mutant: true,
        ..*test
    };
    let is_found = (0..10).any(|_| run(&mutant).verdict.over > 0);
    assert!(is_found, "the mutant was not found");
}

#[test]
fn kills() {
    holds(&ONE_KEY.under(Harm::Kills(30)));
    holds(&MANY_KEYS.under(Harm::Kills(30)));
    holds(&TOO_MANY_KEYS.under(Harm::Kills(30)));
    holds(&TINY.under(Harm::Kills(60)));
}

#[test]
fn pauses() {
    holds(&ONE_KEY.under(Harm::Stops(20)));
    holds(&TINY.under(Harm::Stops(20)));
}

#[test]
fn deaths_between_two_steps() {
    holds(&TINY.under(Harm::DiesAtSteps(60, 3_000)));
    holds(&FEW_KEYS.under(Harm::DiesAtSteps(30, 30_000)));
}

#[test]
fn sleeps_between_two_steps() {
    holds(&TINY.under(Harm::SleepsAtSteps(300, SECOND)));
    holds(&FEW_KEYS.under(Harm::SleepsAtSteps(1_000, 2 * SECOND)));
}

#[test]
fn two_that_insert_one_key_and_do_not_look_for_each_other_are_found() {
    fails(&FEW_KEYS.under(Harm::SleepsAtSteps(1_000, SECOND)));
}

/// The whole counts: minutes.
#[test]
#[ignore = "long"]
fn long_kills() {
    let epoch = SECOND / 5;
    holds(&ONE_KEY.lasting(epoch).under(Harm::Kills(200)));
    holds(&MANY_KEYS.lasting(epoch).under(Harm::Kills(200)));
    holds(&TOO_MANY_KEYS.lasting(epoch).under(Harm::Kills(200)));
    holds(&FEW_KEYS.under(Harm::Kills(200)));
    holds(&TINY.under(Harm::Kills(200)));
}

#[test]
#[ignore = "long"]
fn long_pauses() {
    for test in [ONE_KEY, MANY_KEYS, TOO_MANY_KEYS, TINY] {
        holds(&test.under(Harm::Stops(100)));
    }
}

#[test]
#[ignore = "long"]
fn long_deaths_between_two_steps() {
    holds(&TINY.under(Harm::DiesAtSteps(2_000, 1_000)));
    holds(&FEW_KEYS.under(Harm::DiesAtSteps(1_000, 10_000)));
}

#[test]
#[ignore = "long"]
fn long_sleeps_between_two_steps() {
    let harm = Harm::SleepsAtSteps(1_000, 10 * SECOND);
    for test in [TINY, FEW_KEYS, MANY_KEYS] {
        holds(&test.under(harm));
    }
}
