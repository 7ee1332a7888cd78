//! The times of a key's units, oldest first, in few bytes.

use std::collections::VecDeque;
use std::iter::repeat_n;

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
    pub(super) newest: Ticks,
    /// The units before it: one word each, or two (high, low) for a window of 2^32 ticks and
    /// more. None of them is a window older than the newest, so that one word tells them apart.
    pub(super) older: VecDeque<u32>,
}

pub(super) const NEVER: Ticks = Ticks::MAX;

/// Words for which no memory is given back.
pub(super) const SMALL: usize = 32;

const fn high_word(time: Ticks) -> u32 {
    (time >> 32) as u32
}

const fn low_word(time: Ticks) -> u32 {
    time as u32
}

impl State {
    /// Of a key that was never seen.
    pub(super) fn empty() -> Self {
        Self {
            newest: NEVER,
            older: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.newest == NEVER
    }

    /// Room for `needed` words: it doubles, but never beyond the `most` that the limit can fill.
    #[cold]
    fn grow(&mut self, needed: usize, most: usize) {
        let wanted = (2 * self.older.capacity()).min(most).max(needed);
        self.older.reserve_exact(wanted - self.older.len());
    }

    /// Give memory back once three quarters stand empty. Room for as much again stays: between
    /// two moves of what is left there are as many units that come or go.
    #[inline]
    fn shrink(&mut self) {
        let (words, room) = (self.older.len(), self.older.capacity());
        if room > SMALL && words < room / 4 {
            self.shrink_to(2 * words);
        }
    }

    /// A block that is cut where it stands leaves a hole that no other large block fits into.
    #[cold]
    fn shrink_to(&mut self, words: usize) {
        let mut older = VecDeque::with_capacity(words);
        older.extend(self.older.drain(..));
        self.older = older;
    }
}

impl SlidingLog {
    /// The largest limit: each unit is remembered, in 4 or 8 bytes.
    pub const LARGEST: u32 = 1 << 24;

    #[inline]
    pub(super) fn is_wide(&self) -> bool {
        u32::try_from(self.window).is_err()
    }

    #[inline]
    pub(super) fn words(&self) -> usize {
        1 + usize::from(self.is_wide())
    }

    /// How many units are remembered.
    #[inline]
    pub(super) fn len(&self, state: &State) -> usize {
        if state.is_empty() {
            return 0;
        }
        (state.older.len() >> u32::from(self.is_wide())) + 1
    }

    /// The time of the unit at `index`, which must be there.
    #[inline]
    pub(super) fn at(&self, state: &State, index: usize) -> Ticks {
        let (older, newest) = (&state.older, state.newest);
        if self.is_wide() {
            let Some(&high) = older.get(2 * index) else {
                return newest;
            };
            return Ticks::from(high) << 32 | Ticks::from(older[2 * index + 1]);
        }
        let Some(&low) = older.get(index) else {
            return newest;
        };
        newest - Ticks::from(low_word(newest).wrapping_sub(low))
    }

    /// Remember a unit of `time` as an older one.
    #[expect(clippy::inline_always, reason = "as of `admit`")]
    #[inline(always)]
    pub(super) fn push_older(&self, state: &mut State, time: Ticks) {
        self.make_room(state, 1);
        if self.is_wide() {
            state.older.push_back(high_word(time));
        }
        state.older.push_back(low_word(time));
    }

    /// Make room for `units` more.
    #[inline]
    fn make_room(&self, state: &mut State, units: usize) {
        let needed = state.older.len() + units * self.words();
        if needed > state.older.capacity() {
            state.grow(needed, (self.limit as usize - 1) * self.words());
        }
    }

    /// Spend `cost` units now, of a log without dead ones.
    #[inline]
    pub(super) fn push(&self, state: &mut State, now: Ticks, cost: u32) {
        if !state.is_empty() {
            self.push_older(state, state.newest);
        }
        state.newest = now;
        if cost > 1 {
            self.push_more(state, cost - 1);
        }
    }

    /// Spend `units` more at the time of the newest.
    fn push_more(&self, state: &mut State, units: u32) {
        let units = units as usize;
        self.make_room(state, units);
        if self.is_wide() {
            (0..units).for_each(|_| self.push_older(state, state.newest));
        } else {
            let low = low_word(state.newest);
            state.older.extend(repeat_n(low, units));
        }
    }

    /// Forget the `count` oldest units.
    #[inline(never)]
    pub(super) fn drop_oldest(&self, state: &mut State, count: usize) {
        let words = count * self.words();
        if count >= self.len(state) {
            state.newest = NEVER;
        }
        if words >= state.older.len() {
            state.older = VecDeque::new();
        } else {
            state.older.drain(..words);
            state.shrink();
        }
    }

    /// How many of the oldest units no longer count.
    #[inline]
    pub(super) fn dead(&self, state: &State, now: Ticks) -> usize {
        if state.is_empty() || self.at(state, 0) + self.window > now {
            return 0;
        }
        self.search_dead(state, now)
    }

    /// The same, of a log whose oldest unit no longer counts.
    #[inline(never)]
    fn search_dead(&self, state: &State, now: Ticks) -> usize {
        if state.newest + self.window <= now {
            return self.len(state);
        }
        self.first_from(state, (now + 1).saturating_sub(self.window))
    }

    /// The index of the first unit that was spent at `time` or later; the length if there is none.
    pub(super) fn first_from(&self, state: &State, time: Ticks) -> usize {
        let (mut before, mut from) = (0, self.len(state));
        while before < from {
            let middle = usize::midpoint(before, from);
            if self.at(state, middle) >= time {
                from = middle;
            } else {
                before = middle + 1;
            }
        }
        before
    }

    /// Forget `count` units from that index on, which must be there.
    pub(super) fn drop_from(&self, state: &mut State, first: usize, count: usize) {
        if count == 0 {
            return;
        }
        let words = self.words();
        if first + count < self.len(state) {
            state.older.drain(first * words..(first + count) * words);
            state.shrink();
        } else if first == 0 {
            *state = State::empty();
        } else {
            state.newest = self.at(state, first - 1);
            state.older.truncate((first - 1) * words);
            state.shrink();
        }
    }

    #[inline]
    pub(super) fn prune(&self, state: &mut State, now: Ticks) {
        let dead = self.dead(state, now);
        if dead > 0 {
            self.drop_oldest(state, dead);
        }
    }
}
