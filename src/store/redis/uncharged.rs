//! Units that were admitted here in the server's place: it was never charged for them, and must
//! not give them back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::listed::{Listed, Name};
use crate::clock::Ticks;
use crate::store::KeyHasher;
use crate::store::fork::locked_now;

/// Most keys whose units are known, some 80 bytes each; the longest untouched go first.
const MOST: usize = 65_536;
/// The only list, by when an item was touched.
const BY_AGE: u32 = 0;

struct Units {
    number: u32,
    /// When they would not count any more, had they been charged.
    until: Option<Instant>,
}

/// Units by key.
pub(super) struct Uncharged {
    hasher: KeyHasher,
    units: Mutex<Listed<Units>>,
    len: AtomicUsize,
}

impl Default for Uncharged {
    fn default() -> Self {
        Self {
            hasher: KeyHasher::random(),
            units: Mutex::new(Listed::new(1)),
            len: AtomicUsize::new(0),
        }
    }
}

impl Uncharged {
    /// Units were admitted here, that count for so long.
    pub(super) fn add(&self, key: &[u8], number: u32, now: Instant, span: Ticks) {
        let name = self.name(key);
        let mut units = locked_now(&self.units);
        let before = units.remove(name).filter(|before| before.counts(now));
        if units.len() >= MOST
            && let Some(oldest) = units.first(BY_AGE)
        {
            units.remove(oldest);
        }
        let number = number.saturating_add(before.map_or(0, |before| before.number));
        let until = now.checked_add(Duration::from_micros(span));
        units.insert(BY_AGE, name, Units { number, until });
        self.len.store(units.len(), Relaxed);
    }

    /// Take up to `most` of a key's units; how many they are.
    pub(super) fn take(&self, key: &[u8], most: u32, now: Instant) -> u32 {
        if self.len.load(Relaxed) == 0 {
            return 0;
        }
        let name = self.name(key);
        let mut all = locked_now(&self.units);
        let units = all.remove(name).filter(|units| units.counts(now));
        let taken = units.as_ref().map_or(0, |units| units.number.min(most));
        if let Some(Units { number, until }) = units.filter(|units| units.number > taken) {
            let number = number - taken;
            all.insert(BY_AGE, name, Units { number, until });
        }
        self.len.store(all.len(), Relaxed);
        taken
    }

    /// The key is to be forgotten.
    pub(super) fn forget(&self, key: &[u8]) {
        if self.len.load(Relaxed) > 0 {
            let name = self.name(key);
            let mut units = locked_now(&self.units);
            units.remove(name);
            self.len.store(units.len(), Relaxed);
        }
    }

    /// Every key is.
    pub(super) fn clear(&self) {
        let mut units = locked_now(&self.units);
        *units = Listed::new(1);
        self.len.store(0, Relaxed);
    }

    fn name(&self, key: &[u8]) -> Name {
        Name {
            key: self.hasher.fingerprint(key),
            which: 0,
        }
    }
}

impl Units {
    fn counts(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    #[test]
    fn as_many_are_taken_as_were_admitted() {
        let (uncharged, now) = (Uncharged::default(), Instant::now());
        uncharged.add(b"a", 2, now, SECOND);
        uncharged.add(b"a", 3, now, SECOND);
        uncharged.add(b"b", 1, now, SECOND);
        let told = [b"a", b"a", b"a", b"b", b"c"].map(|key| uncharged.take(key, 4, now));
        assert_eq!(told, [4, 1, 0, 1, 0]);
        uncharged.add(b"a", 2, now, SECOND);
        uncharged.forget(b"a");
        assert_eq!(uncharged.take(b"a", 4, now), 0);
        uncharged.add(b"a", 2, now, SECOND);
        uncharged.clear();
        assert_eq!(uncharged.take(b"a", 4, now), 0);
        uncharged.add(b"a", 2, now, SECOND);
        assert_eq!(uncharged.take(b"a", 4, now), 2);
    }

    #[test]
    fn units_that_would_not_count_any_more_are_none() {
        let (uncharged, now) = (Uncharged::default(), Instant::now());
        let later = |ticks| now + Duration::from_micros(ticks);
        uncharged.add(b"a", 2, now, SECOND);
        uncharged.add(b"b", 2, now, SECOND);
        assert_eq!(uncharged.take(b"a", 1, later(SECOND - 1)), 1);
        assert_eq!(uncharged.take(b"a", 1, later(SECOND)), 0);
        uncharged.add(b"b", 2, later(SECOND), SECOND);
        assert_eq!(uncharged.take(b"b", 9, later(SECOND)), 2);
    }

    #[test]
    fn so_many_keys_at_most_and_the_oldest_go() {
        let (uncharged, now) = (Uncharged::default(), Instant::now());
        uncharged.add(b"old", 1, now, SECOND);
        for number in 0..MOST {
            uncharged.add(number.to_string().as_bytes(), 1, now, SECOND);
        }
        assert_eq!(uncharged.len.load(Relaxed), MOST);
        let take = |key: &str| uncharged.take(key.as_bytes(), 1, now);
        assert_eq!(["old", "0"].map(take), [0, 1]);
        uncharged.add(b"1", 1, now, SECOND); // touched, so that 2 is the oldest
        uncharged.add(b"new", 1, now, SECOND);
        uncharged.add(b"newer", 1, now, SECOND);
        assert_eq!(["1", "2", "3"].map(take), [1, 0, 1]);
    }
}
