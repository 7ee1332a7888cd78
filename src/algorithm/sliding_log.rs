//! The exact sliding window: every unit's time is remembered while it counts.

use std::collections::VecDeque;

use super::Algorithm;
use crate::clock::Ticks;

/// At most `limit` units in any span `(t - window, t]`.
#[derive(Debug, Clone)]
pub struct SlidingLog {
    /// Units per window, 1 to [`SlidingLog::LARGEST`].
    pub limit: u32,
    /// The window's length, at least 1.
    pub window: Ticks,
}

/// One unit's time each, oldest first.
#[derive(Debug, Clone)]
pub struct State {
    /// The newest unit, in full; all others are read against it. `NEVER` if there is none.
    newest: Ticks,
    older: Older,
}

const NEVER: Ticks = Ticks::MAX;

/// The units before the newest. None of them is a window older than it, so that the low
/// 32 bits tell each apart while a window is shorter than 2^32 ticks.
///
/// Boxed, so that a client with a single unit, as most have, costs 16 bytes here and not 40.
#[derive(Debug, Clone)]
#[expect(clippy::box_collection, reason = "keeps the table's slots small")]
enum Older {
    None,
    Narrow(Box<VecDeque<u32>>),
    Wide(Box<VecDeque<Ticks>>),
}

/// The low bits are what is kept.
const fn low(time: Ticks) -> u32 {
    time as u32
}

fn is_narrow(window: Ticks) -> bool {
    u32::try_from(window).is_ok()
}

impl Older {
    #[inline]
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Narrow(times) => times.len(),
            Self::Wide(times) => times.len(),
        }
    }

    /// The time of a unit that is there.
    #[inline]
    fn at(&self, index: usize, newest: Ticks) -> Ticks {
        match self {
            Self::None => newest,
            Self::Narrow(times) => newest - Ticks::from(low(newest).wrapping_sub(times[index])),
            Self::Wide(times) => times[index],
        }
    }

    #[inline]
    fn push(&mut self, time: Ticks, count: usize, rule: &SlidingLog) {
        if count == 0 {
            return;
        }
        let most = rule.limit as usize - 1;
        match self {
            Self::Narrow(times) => push(times, low(time), count, most),
            Self::Wide(times) => push(times, time, count, most),
            Self::None => self.begin(time, count, rule),
        }
    }

    #[cold]
    fn begin(&mut self, time: Ticks, count: usize, rule: &SlidingLog) {
        *self = if is_narrow(rule.window) {
            Self::Narrow(Box::default())
        } else {
            Self::Wide(Box::default())
        };
        self.push(time, count, rule);
    }

    #[inline]
    fn drop_oldest(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        if count >= self.len() {
            *self = Self::None;
            return;
        }
        match self {
            Self::None => {}
            Self::Narrow(times) => drop(times.drain(..count)),
            Self::Wide(times) => drop(times.drain(..count)),
        }
    }
}

/// Room doubles, but never beyond what the limit can fill.
#[inline]
fn push<T: Copy>(times: &mut VecDeque<T>, time: T, count: usize, most: usize) {
    let needed = times.len() + count;
    if needed > times.capacity() {
        let wanted = needed.max(2 * times.capacity()).min(most).max(needed);
        times.reserve_exact(wanted - times.len());
    }
    if count == 1 {
        times.push_back(time);
    } else {
        times.extend(std::iter::repeat_n(time, count));
    }
}

impl SlidingLog {
    /// The largest limit: each unit is remembered, in 4 or 8 bytes.
    pub const LARGEST: u32 = 1 << 24;

    /// When the oldest live unit leaves the window, if there is one.
    #[must_use]
    pub fn first_free_at(&self, state: &State, now: Ticks) -> Option<Ticks> {
        let dead = self.dead(state, now);
        (dead < state.len()).then(|| state.at(dead) + self.window)
    }

    /// How many of the oldest units no longer count.
    #[inline]
    fn dead(&self, state: &State, now: Ticks) -> usize {
        let len = state.len();
        if len == 0 || state.at(0) + self.window > now {
            return 0;
        }
        if state.newest + self.window <= now {
            return len;
        }
        let (mut dead, mut live) = (1, len - 1);
        while dead < live {
            let middle = usize::midpoint(dead, live);
            if state.at(middle) + self.window > now {
                live = middle;
            } else {
                dead = middle + 1;
            }
        }
        dead
    }

    #[inline]
    fn prune(&self, state: &mut State, now: Ticks) {
        let dead = self.dead(state, now);
        state.drop_oldest(dead);
    }

    fn used(&self, state: &State, now: Ticks) -> usize {
        state.len() - self.dead(state, now)
    }
}

impl State {
    #[inline]
    fn len(&self) -> usize {
        if self.newest == NEVER {
            0
        } else {
            self.older.len() + 1
        }
    }

    #[inline]
    fn at(&self, index: usize) -> Ticks {
        if index == self.older.len() {
            self.newest
        } else {
            self.older.at(index, self.newest)
        }
    }

    #[inline]
    fn drop_oldest(&mut self, count: usize) {
        if count > self.older.len() {
            self.newest = NEVER;
        }
        self.older.drop_oldest(count.min(self.older.len()));
    }
}

impl Algorithm for SlidingLog {
    type State = State;

    fn limit(&self) -> u32 {
        self.limit
    }

    fn window(&self) -> Ticks {
        self.window
    }

    fn fresh(&self) -> State {
        State {
            newest: NEVER,
            older: Older::None,
        }
    }

    #[inline]
    fn admit(&self, state: &mut State, now: Ticks, cost: u32) -> bool {
        self.prune(state, now);
        let (len, cost, limit) = (state.len(), cost as usize, self.limit as usize);
        if len + cost > limit {
            return false;
        }
        if len == 0 {
            state.newest = now;
        } else {
            state.older.push(state.newest, 1, self);
            state.newest = now;
        }
        state.older.push(now, cost - 1, self);
        true
    }

    fn wait(&self, state: &State, now: Ticks, cost: u32) -> Ticks {
        let dead = self.dead(state, now);
        let excess = (state.len() - dead + cost as usize).saturating_sub(self.limit as usize);
        if excess == 0 {
            return 0;
        }
        state.at(dead + excess - 1) + self.window - now
    }

    fn remaining(&self, state: &State, now: Ticks) -> u32 {
        let used = u32::try_from(self.used(state, now)).unwrap_or(u32::MAX);
        self.limit.saturating_sub(used)
    }

    fn reset_after(&self, state: &State, now: Ticks) -> Ticks {
        if state.newest == NEVER {
            0
        } else {
            (state.newest + self.window).saturating_sub(now)
        }
    }

    fn refund(&self, state: &mut State, now: Ticks, units: u32) {
        self.prune(state, now);
        state.drop_oldest((units as usize).min(state.len()));
    }

    fn adopt(&self, old: &Self, state: &mut State, now: Ticks) {
        old.prune(state, now);
        self.prune(state, now);
        if is_narrow(self.window) != is_narrow(old.window) {
            let mut older = Older::None;
            for index in 0..state.older.len() {
                older.push(state.older.at(index, state.newest), 1, self);
            }
            state.older = older;
        }
    }
}
