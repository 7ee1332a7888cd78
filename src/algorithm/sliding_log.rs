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
#[derive(Debug, Clone)]
enum Older {
    Narrow(VecDeque<u32>),
    Wide(VecDeque<Ticks>),
}

/// The low bits are what is kept.
const fn low(time: Ticks) -> u32 {
    time as u32
}

impl Older {
    fn for_window(window: Ticks) -> Self {
        if u32::try_from(window).is_ok() {
            Self::Narrow(VecDeque::new())
        } else {
            Self::Wide(VecDeque::new())
        }
    }

    #[inline]
    fn len(&self) -> usize {
        match self {
            Self::Narrow(times) => times.len(),
            Self::Wide(times) => times.len(),
        }
    }

    #[inline]
    fn at(&self, index: usize, newest: Ticks) -> Ticks {
        match self {
            Self::Narrow(times) => newest - Ticks::from(low(newest).wrapping_sub(times[index])),
            Self::Wide(times) => times[index],
        }
    }

    #[inline]
    fn push(&mut self, time: Ticks, count: usize, most: usize) {
        match self {
            Self::Narrow(times) => push(times, low(time), count, most),
            Self::Wide(times) => push(times, time, count, most),
        }
    }

    #[inline]
    fn drop_oldest(&mut self, count: usize) {
        match self {
            Self::Narrow(times) => drop_oldest(times, count),
            Self::Wide(times) => drop_oldest(times, count),
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
    times.extend(std::iter::repeat_n(time, count));
}

#[inline]
fn drop_oldest<T>(times: &mut VecDeque<T>, count: usize) {
    if count == 0 {
        return;
    }
    times.drain(..count);
    if times.is_empty() {
        *times = VecDeque::new();
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
            older: Older::for_window(self.window),
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
            state.older.push(now, cost - 1, limit - 1);
        } else {
            state.older.push(state.newest, 1, limit - 1);
            state.newest = now;
            state.older.push(now, cost - 1, limit - 1);
        }
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
        let narrow = matches!(state.older, Older::Narrow(_));
        let mut older = Older::for_window(self.window);
        if narrow != matches!(older, Older::Narrow(_)) {
            let most = state.older.len();
            for index in 0..most {
                older.push(state.older.at(index, state.newest), 1, most);
            }
            state.older = older;
        }
    }
}
