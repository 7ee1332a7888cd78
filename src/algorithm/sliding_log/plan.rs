//! The plan of those who wait for a log's units, without a copy of the log.

use std::collections::VecDeque;

use super::super::plan::Plan;
use super::log::{SlidingLog, State};
use crate::clock::Ticks;

/// The units of those who wait, which follow those of the log: one entry for each caller.
pub struct LogPlan {
    /// When each is admitted, and how many units all have taken up to and including it.
    turns: VecDeque<(Ticks, u64)>,
    /// How many of these units are in the log by now.
    admitted: u64,
}

impl LogPlan {
    /// Units that are not in the log yet.
    fn planned(&self) -> u64 {
        self.turns.back().map_or(0, |last| last.1 - self.admitted)
    }

    /// The time of the unit at `index` of the log and, behind it, of those who wait.
    fn time_of(&self, algorithm: &SlidingLog, state: &State, index: u64) -> Ticks {
        let logged = algorithm.len(state);
        match usize::try_from(index) {
            Ok(index) if index < logged => algorithm.at(state, index),
            _ => {
                let before = index - logged as u64 + self.admitted;
                let turn = self.turns.partition_point(|&(_, up_to)| up_to <= before);
                self.turns[turn].0
            }
        }
    }
}

impl Plan<SlidingLog> for LogPlan {
    fn new(_algorithm: &SlidingLog, _state: &State) -> Self {
        Self {
            turns: VecDeque::new(),
            admitted: 0,
        }
    }

    fn wait(&self, algorithm: &SlidingLog, state: &State, at: Ticks, cost: u32) -> Ticks {
        let units = algorithm.len(state) as u64 + self.planned() + u64::from(cost);
        // So many of the oldest have to leave; those that have left already are among them.
        match units.saturating_sub(u64::from(algorithm.limit)) {
            0 => 0,
            excess => {
                (self.time_of(algorithm, state, excess - 1) + algorithm.window).saturating_sub(at)
            }
        }
    }

    fn push(&mut self, _algorithm: &SlidingLog, at: Ticks, cost: u32) {
        let up_to = self.admitted + self.planned() + u64::from(cost);
        self.turns.push_back((at, up_to));
    }

    fn pop(&mut self) {
        if let Some((_, up_to)) = self.turns.pop_front() {
            self.admitted = up_to;
        }
    }
}
