//! Plans of those who wait, against planning from a copy of the state each time.

use std::collections::VecDeque;

use super::*;
use crate::algorithm::Plan;

/// What happens while some wait for a key.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// One more lines up.
    Join(u32),
    /// The first is admitted, at its turn.
    Serve,
    /// Time passes, but not beyond the first turn, and a call is refused.
    Pass(Ticks),
}

struct Line<A: Algorithm> {
    algorithm: A,
    state: A::State,
    now: Ticks,
    plan: A::Plan,
    /// When each who waits is admitted, and its cost.
    waiting: VecDeque<(Ticks, u32)>,
}

impl<A: Algorithm> Line<A> {
    /// Behind what was spent, each so long after the one before.
    fn behind(algorithm: &A, start: Ticks, spent: &[(Ticks, u32)]) -> Self {
        let (mut state, mut now) = (algorithm.fresh(), start);
        for &(gap, cost) in spent {
            now += gap;
            algorithm.admit(&mut state, now, cost);
        }
        Self {
            algorithm: algorithm.clone(),
            plan: A::Plan::new(algorithm, &state),
            state,
            now,
            waiting: VecDeque::new(),
        }
    }

    fn planned(&self, cost: u32) -> Ticks {
        let at = self.waiting.back().map_or(self.now, |last| last.0);
        let at = at.max(self.now);
        at + self.plan.wait(&self.algorithm, &self.state, at, cost)
    }

    /// The same from a copy of the state, in which all who wait are admitted.
    fn expected(&self, cost: u32) -> Ticks {
        let (mut state, mut at) = (self.state.clone(), self.now);
        for &(_, cost) in &self.waiting {
            at += self.algorithm.wait(&state, at, cost).unwrap_or(Ticks::MAX);
            assert!(self.algorithm.admit(&mut state, at, cost));
        }
        at + self.algorithm.wait(&state, at, cost).unwrap_or(Ticks::MAX)
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Join(cost) => {
                let turn = self.planned(cost);
                self.plan.push(&self.algorithm, turn, cost);
                self.waiting.push_back((turn, cost));
            }
            Event::Serve => {
                let Some((turn, cost)) = self.waiting.pop_front() else {
                    return;
                };
                self.now = self.now.max(turn);
                assert!(self.algorithm.admit(&mut self.state, self.now, cost));
                self.plan.pop();
            }
            Event::Pass(gap) => {
                let Some(&(turn, cost)) = self.waiting.front() else {
                    return;
                };
                self.now = (self.now + gap).min(turn);
                if self.now < turn {
                    assert!(!self.algorithm.admit(&mut self.state, self.now, cost));
                }
            }
        }
    }
}

/// What goes wrong with plans of `algorithm`, if anything does.
fn misplanned<A: Algorithm>(algorithm: &A, start: Ticks, case: &PlanCase) -> Option<String> {
    let mut line = Line::behind(algorithm, start, &case.spent);
    for (index, &event) in case.events.iter().enumerate() {
        line.happens(event);
        for cost in 1..=algorithm.limit() {
            let (planned, expected) = (line.planned(cost), line.expected(cost));
            if planned != expected {
                let waiting = line.waiting;
                return Some(format!(
                    "event {index}, cost {cost}: {planned}, not {expected}; {waiting:?}"
                ));
            }
        }
    }
    None
}

#[derive(Debug, Clone)]
struct PlanCase {
    spent: Vec<(Ticks, u32)>,
    events: Vec<Event>,
}

fn plan_case(limit: u32, window: Ticks) -> impl Strategy<Value = PlanCase> {
    let cost = prop_oneof![2 => Just(1), 3 => 1..=limit];
    let gap = prop_oneof![3 => Just(0), 3 => 0..=window / 3, 1 => Just(window), 1 => Just(1)];
    let event = prop_oneof![
        4 => cost.clone().prop_map(Event::Join),
        3 => Just(Event::Serve),
        2 => gap.clone().prop_map(Event::Pass),
    ];
    let spent = prop::collection::vec((gap, cost), 0..20);
    (spent, prop::collection::vec(event, 1..40))
        .prop_map(|(spent, events)| PlanCase { spent, events })
}

fn window_plan() -> impl Strategy<Value = (u32, Ticks, Ticks, PlanCase)> {
    (1..8_u32, windows(), starts()).prop_flat_map(|(limit, window, start)| {
        let case = plan_case(limit, window);
        (Just(limit), Just(window), Just(start), case)
    })
}

proptest! {
    #![proptest_config(Config { cases: 500, ..Config::default() })]

    #[test]
    fn plans_tell_the_turns_of_those_who_wait((limit, window, start, case) in window_plan()) {
        prop_assert_eq!(misplanned(&SlidingLog { limit, window }, start, &case), None);
        prop_assert_eq!(misplanned(&FixedWindow::new(limit, window), start, &case), None);
        prop_assert_eq!(misplanned(&SlidingCounter { limit, window }, start, &case), None);
        prop_assert_eq!(misplanned(&SegmentedWindow::new(limit, 90 * window), start, &case), None);
        let rate = bucket(limit, 1_000_000, u32::try_from(window % 1_000).unwrap() + 1, limit, start);
        prop_assert_eq!(misplanned(&rate, start, &case), None);
    }
}

/// As those who ask for language models' tokens have it: few callers, and many units each.
#[test]
fn ten_thousand_callers_of_a_hundred_thousand_units_are_planned() {
    let algorithm = SlidingLog {
        limit: SlidingLog::LARGEST,
        window: 60 * SECOND,
    };
    let mut state = algorithm.fresh();
    assert!((0..167).all(|second| algorithm.admit(&mut state, second, 100_000)));
    let mut plan = <SlidingLog as Algorithm>::Plan::new(&algorithm, &state);
    let mut at = 167;
    for caller in 0..10_000_u64 {
        at += plan.wait(&algorithm, &state, at, 100_000);
        plan.push(&algorithm, at, 100_000);
        // 167 of them fit the log, and of each window as many who wait.
        assert_eq!(at, (caller / 167 + 1) * algorithm.window + caller % 167);
    }
}
