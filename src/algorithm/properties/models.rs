//! Models too slow to use and too simple to doubt: they keep every call for ever.

use crate::algorithm::Spend;
use crate::clock::{SECOND, Ticks};

/// What a limiter must do.
pub(crate) trait Model {
    /// Whether `cost` may be admitted at `now`.
    fn fits(&self, now: Ticks, cost: u32) -> bool;
    /// It was admitted.
    fn spend(&mut self, now: Ticks, cost: u32);
    /// Give the oldest units back.
    fn refund(&mut self, now: Ticks, units: u32);
    /// Give units of one spend back, if they still count; `event` is how many spends and refunds by
    /// receipt there were with it.
    fn give_back(&mut self, now: Ticks, spend: &Spend, event: usize, units: u32);
    /// Whether nothing that was spent counts any more.
    fn is_whole(&self, now: Ticks) -> bool;
}

/// Every unit's time.
pub(crate) struct LogModel {
    limit: u32,
    window: Ticks,
    units: Vec<Ticks>,
}

impl LogModel {
    pub(crate) fn new(limit: u32, window: Ticks) -> Self {
        Self {
            limit,
            window,
            units: Vec::new(),
        }
    }

    /// How many count.
    pub(crate) fn live(&self, now: Ticks) -> usize {
        self.units
            .iter()
            .filter(|&&time| time + self.window > now)
            .count()
    }
}

impl Model for LogModel {
    fn fits(&self, now: Ticks, cost: u32) -> bool {
        self.live(now) + cost as usize <= self.limit as usize
    }

    fn spend(&mut self, now: Ticks, cost: u32) {
        self.units.extend((0..cost).map(|_| now));
    }

    fn refund(&mut self, now: Ticks, units: u32) {
        self.units.retain(|time| time + self.window > now);
        self.units.drain(..self.units.len().min(units as usize));
    }

    fn give_back(&mut self, _now: Ticks, spend: &Spend, _event: usize, units: u32) {
        let mut most = units;
        self.units.retain(|&time| {
            let goes = time == spend.at && most > 0;
            most -= u32::from(goes);
            !goes
        });
    }

    fn is_whole(&self, now: Ticks) -> bool {
        self.live(now) == 0
    }
}

/// Every unit's time, counted per aligned window.
pub(crate) struct FixedModel(LogModel);

impl FixedModel {
    pub(crate) fn new(limit: u32, window: Ticks) -> Self {
        Self(LogModel::new(limit, window))
    }

    fn in_window(&self, number: Ticks) -> usize {
        let LogModel { window, units, .. } = &self.0;
        units
            .iter()
            .filter(|&&time| time / window == number)
            .count()
    }

    fn drop_from(&mut self, number: Ticks, mut most: usize) -> usize {
        let window = self.0.window;
        let before = self.0.units.len();
        self.0.units.retain(|time| {
            let goes = time / window == number && most > 0;
            most -= usize::from(goes);
            !goes
        });
        before - self.0.units.len()
    }
}

impl Model for FixedModel {
    fn fits(&self, now: Ticks, cost: u32) -> bool {
        self.in_window(now / self.0.window) + cost as usize <= self.0.limit as usize
    }

    fn spend(&mut self, now: Ticks, cost: u32) {
        self.0.spend(now, cost);
    }

    fn refund(&mut self, now: Ticks, units: u32) {
        self.drop_from(now / self.0.window, units as usize);
    }

    fn give_back(&mut self, now: Ticks, spend: &Spend, event: usize, units: u32) {
        self.0.give_back(now, spend, event, units);
    }

    fn is_whole(&self, now: Ticks) -> bool {
        self.in_window(now / self.0.window) == 0
    }
}

/// The same units, weighed as the sliding counter's definition says.
pub(crate) struct CounterModel(FixedModel);

impl CounterModel {
    pub(crate) fn new(limit: u32, window: Ticks) -> Self {
        Self(FixedModel::new(limit, window))
    }

    fn counts(&self, now: Ticks) -> (usize, usize) {
        let number = now / self.0.0.window;
        let previous = number
            .checked_sub(1)
            .map_or(0, |before| self.0.in_window(before));
        (previous, self.0.in_window(number))
    }
}

impl Model for CounterModel {
    fn fits(&self, now: Ticks, cost: u32) -> bool {
        let LogModel { limit, window, .. } = &self.0.0;
        let (previous, current) = self.counts(now);
        let (window, elapsed) = (u128::from(*window), u128::from(now % window));
        previous as u128 * (window - elapsed) + (current as u128 + u128::from(cost)) * window
            <= u128::from(*limit) * window
    }

    fn spend(&mut self, now: Ticks, cost: u32) {
        self.0.spend(now, cost);
    }

    fn refund(&mut self, now: Ticks, units: u32) {
        let number = now / self.0.0.window;
        let older = number
            .checked_sub(1)
            .map_or(0, |before| self.0.drop_from(before, units as usize));
        self.0.drop_from(number, units as usize - older);
    }

    fn give_back(&mut self, now: Ticks, spend: &Spend, event: usize, units: u32) {
        self.0.give_back(now, spend, event, units);
    }

    fn is_whole(&self, now: Ticks) -> bool {
        self.counts(now) == (0, 0)
    }
}

/// The level of a bucket, recomputed from the start each time, in whole numbers.
pub(crate) struct BucketModel {
    capacity: i128,
    /// Level units that a tick adds, and that a token is.
    rate: (i128, i128),
    initial: i128,
    start: Ticks,
    events: Vec<(Ticks, i128)>,
    /// Of refunds by receipt: which event, and by how much the level rose.
    returned: Vec<(usize, i128)>,
}

impl BucketModel {
    pub(crate) fn new(
        capacity: u32,
        tokens: u32,
        seconds: u32,
        initial: u32,
        start: Ticks,
    ) -> Self {
        let token = i128::from(seconds) * i128::from(SECOND);
        Self {
            capacity: i128::from(capacity) * token,
            rate: (i128::from(tokens), token),
            initial: i128::from(initial) * token,
            start,
            events: Vec::new(),
            returned: Vec::new(),
        }
    }

    fn refilled(&self, level: i128, from: Ticks, to: Ticks) -> i128 {
        (level + i128::from(to - from) * self.rate.0).min(self.capacity)
    }

    fn price(&self, tokens: u32) -> i128 {
        i128::from(tokens) * self.rate.1
    }

    /// The level of a bucket that nobody ever spent from.
    fn unseen(&self, now: Ticks) -> i128 {
        self.refilled(self.initial, self.start, now)
    }

    fn level(&self, now: Ticks) -> i128 {
        let (mut level, mut time) = (self.initial, self.start);
        for &(at, change) in &self.events {
            level = (self.refilled(level, time, at) + change).min(self.unseen(at));
            time = at;
        }
        self.refilled(level, time, now)
    }
}

impl Model for BucketModel {
    fn fits(&self, now: Ticks, cost: u32) -> bool {
        self.level(now) >= self.price(cost)
    }

    fn spend(&mut self, now: Ticks, cost: u32) {
        self.events.push((now, -self.price(cost)));
    }

    fn refund(&mut self, now: Ticks, units: u32) {
        self.events.push((now, self.price(units)));
    }

    fn give_back(&mut self, now: Ticks, spend: &Spend, event: usize, units: u32) {
        let before = Self {
            events: self.events[..event].to_vec(),
            returned: Vec::new(),
            ..*self
        };
        // What is missing for its sake, were nobody else there since but who gave back.
        let back: i128 = self
            .returned
            .iter()
            .filter(|(at, _)| *at >= event)
            .map(|(_, back)| back)
            .sum();
        let missing = self.capacity - before.level(spend.at) - back;
        let missing = missing - i128::from(now - spend.at) * self.rate.0;
        let level = self.level(now);
        self.events
            .push((now, self.price(units).min(missing.max(0))));
        self.returned
            .push((self.events.len() - 1, self.level(now) - level));
    }

    fn is_whole(&self, now: Ticks) -> bool {
        self.level(now) == self.capacity
    }
}
