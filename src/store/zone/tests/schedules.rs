//! The table under every schedule of two or three threads that has few preemptions.
//!
//! A thread runs alone until its next step, and then a list of choices says who goes on. All lists are
//! tried that leave a thread that could go on two or three times. (Musuvathi and Qadeer, "Iterative
//! context bounding", 2007: few are enough to find nearly all faults.) Where every step is one
//! access to shared memory, and all accesses have one order, nothing is left out in between.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::store::zone::steps::{self, Mutant};

/// What a thread does; its number is known from its place.
pub(super) type Act<'a> = Box<dyn Fn() + Sync + 'a>;

/// What each schedule is tried on.
pub(super) trait Scene: Sync {
    /// A clean start.
    fn reset(&mut self);
    fn acts(&self) -> Vec<Act<'_>>;
    /// Panics if something is wrong.
    fn judge(&self);
}

/// Whoever is told to die does it with this.
struct Death;

#[derive(Default)]
struct Stage {
    /// Who may go on; `None`: whoever decides.
    turn: Option<usize>,
    /// At a step, and not at the end.
    waits: Vec<bool>,
    must_die: bool,
}

#[derive(Default)]
struct Theatre {
    stage: Mutex<Stage>,
    changed: Condvar,
}

impl Theatre {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().expect("no panic under the lock")
    }

    /// Wait for one's turn. True: and die.
    fn wait_for_turn(&self, me: usize) -> bool {
        let stage = self.stage();
        let mut stage = self
            .changed
            .wait_while(stage, |stage| stage.turn != Some(me))
            .expect("as above");
        std::mem::take(&mut stage.must_die)
    }

    fn hand_back(&self, me: usize, waits: bool) {
        let mut stage = self.stage();
        stage.waits[me] = waits;
        stage.turn = None;
        self.changed.notify_all();
    }

    /// Let a thread go on to its next step or its end.
    fn let_go(&self, who: usize, must_die: bool) {
        let mut stage = self.stage();
        (stage.turn, stage.must_die) = (Some(who), must_die);
        self.changed.notify_all();
        drop(
            self.changed
                .wait_while(stage, |stage| stage.turn.is_some())
                .expect("as above"),
        );
    }
}

/// One choice of a schedule: of how many, which was taken.
struct Choice {
    taken: usize,
    options: usize,
}

/// Try all schedules with at most so many preemptions, and with at most so many deaths of the first
/// thread. Says how many there were.
pub(super) fn explore(
    scene: &mut dyn Scene,
    preemptions: usize,
    deaths: usize,
    mutant: Option<Mutant>,
) -> usize {
    let mut choices: Vec<Choice> = Vec::new();
    let mut count = 0;
    loop {
        scene.reset();
        play(scene, &mut choices, preemptions, deaths, mutant);
        scene.judge();
        count += 1;
        while choices
            .last()
            .is_some_and(|last| last.taken + 1 == last.options)
        {
            choices.pop();
        }
        match choices.last_mut() {
            Some(last) => last.taken += 1,
            None => return count,
        }
    }
}

/// One schedule: as the choices say, and then always the first one.
fn play(
    scene: &dyn Scene,
    choices: &mut Vec<Choice>,
    mut preemptions: usize,
    mut deaths: usize,
    mutant: Option<Mutant>,
) {
    let (theatre, acts) = (Arc::new(Theatre::default()), scene.acts());
    theatre.stage().waits = vec![true; acts.len()];
    std::thread::scope(|scope| {
        for (me, act) in acts.iter().enumerate() {
            let theatre = Arc::clone(&theatre);
            scope.spawn(move || {
                let hook = Arc::clone(&theatre);
                steps::set(
                    Some(Box::new(move |_| {
                        hook.hand_back(me, true);
                        if hook.wait_for_turn(me) {
                            resume_unwind(Box::new(Death));
                        }
                    })),
                    mutant,
                );
                let dies_at_once = theatre.wait_for_turn(me);
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    if !dies_at_once {
                        act();
                    }
                }));
                theatre.hand_back(me, false);
                if let Err(panic) = ended
                    && !panic.is::<Death>()
                {
                    resume_unwind(panic);
                }
            });
        }
        let (mut current, mut place) = (0, 0);
        loop {
            let waits = theatre.stage().waits.clone();
            let others = (0..waits.len()).filter(|&who| waits[who] && who != current);
            // Who goes on, and whether it dies there.
            let mut options: Vec<(usize, bool)> = Vec::new();
            if waits[current] {
                options.push((current, false));
            }
            if !waits[current] || preemptions > 0 {
                options.extend(others.map(|who| (who, false)));
            }
            if waits[0] && deaths > 0 {
                options.push((0, true));
            }
            if options.is_empty() {
                break;
            }
            if place == choices.len() {
                choices.push(Choice {
                    taken: 0,
                    options: options.len(),
                });
            }
            let (who, dies) = options[choices[place].taken];
            place += 1;
            preemptions -= usize::from(who != current && waits[current] && !dies);
            deaths -= usize::from(dies);
            theatre.let_go(who, dies);
            current = who;
        }
    });
}
