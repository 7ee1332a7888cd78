//! The refusals that are kept: by key and cost, and by when they end.

use crate::clock::{SECOND, Ticks};
use crate::store::Fingerprint;
use crate::store::redis::listed::{Listed, Name};

/// A refund or a reset made elsewhere is seen after so long at the latest.
const LONGEST: Ticks = SECOND;
/// So many costs of a key are kept, at most one for each remainder.
const COSTS: u8 = 4;
/// What ends within the same 16 ms ends at the same time.
const SLOT: Ticks = 1 << 14;
/// The longest ends less than this many slots from now. Each slot has a list, by its remainder.
const SLOTS: u32 = 64;
/// The list of those that have ended.
const ENDED: u32 = SLOTS;

/// What the server said, and when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) cost: u32,
    /// The number of the quota that refused.
    pub(super) quota: u64,
    pub(super) remaining: u32,
    pub(super) retry_after: Ticks,
    pub(super) reset_after: Ticks,
    pub(super) made_at: Ticks,
}

impl Refusal {
    fn ends(&self) -> Ticks {
        self.made_at + self.retry_after.min(LONGEST)
    }
}

/// A bounded number of refusals. Each step costs the same however many there are.
#[derive(Debug)]
pub(super) struct Kept {
    refusals: Listed<Refusal>,
    most: usize,
    /// What was to end in slots before this one has ended.
    current: Ticks,
}

impl Kept {
    pub(super) fn new(most: usize) -> Self {
        Self {
            refusals: Listed::new(SLOTS + 1),
            most,
            current: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.refusals.len()
    }

    /// What was said of that cost under that quota, if it still holds. Of a larger cost it only
    /// tells that it would be refused, not for how long; of another quota it tells nothing.
    pub(super) fn refusal(
        &self,
        key: Fingerprint,
        cost: u32,
        quota: u64,
        now: Ticks,
    ) -> Option<Refusal> {
        let refusal = *self.refusals.get(name(key, cost))?;
        let is_it = refusal.cost == cost && refusal.quota == quota;
        (is_it && now < refusal.ends()).then_some(refusal)
    }

    /// Keep one; when there are too many, what ends first goes. What was said of the key under
    /// another quota goes as well: a bucket is filled at the rate of its last caller.
    pub(super) fn keep(&mut self, key: Fingerprint, refusal: Refusal, now: Ticks) {
        self.sweep(now);
        let slot = refusal.ends() / SLOT;
        if refusal.ends() <= now || slot < self.current {
            return;
        }
        for which in 0..COSTS {
            let name = Name { key, which };
            let quota = self.refusals.get(name).map(|kept| kept.quota);
            if quota.is_some_and(|quota| quota != refusal.quota) {
                self.refusals.remove(name);
            }
        }
        let name = name(key, refusal.cost);
        self.refusals.remove(name);
        if self.refusals.len() >= self.most {
            self.drop_first();
        }
        self.refusals.insert(list(slot), name, refusal);
    }

    /// Forget what was said of a key.
    pub(super) fn forget(&mut self, key: Fingerprint) {
        for which in 0..COSTS {
            self.refusals.remove(Name { key, which });
        }
    }

    /// Set apart what has ended, and drop two of it: more than comes in.
    fn sweep(&mut self, now: Ticks) {
        let current = now / SLOT;
        for slot in self.current..current.min(self.current + Ticks::from(SLOTS)) {
            self.refusals.append(ENDED, list(slot));
        }
        self.current = self.current.max(current);
        for _ in 0..2 {
            if let Some(name) = self.refusals.first(ENDED) {
                self.refusals.remove(name);
            }
        }
    }

    fn drop_first(&mut self) {
        let slots = self.current..self.current + Ticks::from(SLOTS);
        let first = [ENDED].into_iter().chain(slots.map(list));
        if let Some(name) = { first }.find_map(|list| self.refusals.first(list)) {
            self.refusals.remove(name);
        }
    }
}

fn name(key: Fingerprint, cost: u32) -> Name {
    Name {
        key,
        which: (cost % u32::from(COSTS)) as u8,
    }
}

fn list(slot: Ticks) -> u32 {
    (slot % Ticks::from(SLOTS)) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::KeyHasher;

    const MOST: usize = 5;

    /// What a step does; times are gaps to the step before.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Keep {
            key: u8,
            cost: u32,
            quota: u64,
            age: Ticks,
            retry: Ticks,
        },
        Forget {
            key: u8,
        },
    }

    /// A list, looked through each time.
    #[derive(Default)]
    struct Model {
        refusals: Vec<(u8, Refusal)>,
        current: Ticks,
    }

    impl Model {
        fn refusal(&self, key: u8, cost: u32, quota: u64, now: Ticks) -> Option<Refusal> {
            let asked = (key, cost, quota);
            let fits = |one: &&(u8, Refusal)| (one.0, one.1.cost, one.1.quota) == asked;
            let (_, refusal) = self.refusals.iter().find(fits)?;
            let ends = refusal.made_at + refusal.retry_after.min(SECOND);
            (now < ends).then_some(*refusal)
        }

        /// The one in the earliest 16 ms, and of those the one that was kept first.
        fn first(&self) -> Option<usize> {
            let slot = |&index: &usize| self.refusals[index].1.ends() / SLOT;
            (0..self.refusals.len()).min_by_key(slot)
        }

        fn keep(&mut self, key: u8, refusal: Refusal, now: Ticks) {
            self.current = self.current.max(now / SLOT);
            for _ in 0..2 {
                if let Some(first) = self.first()
                    && self.refusals[first].1.ends() / SLOT < self.current
                {
                    self.refusals.remove(first);
                }
            }
            if refusal.ends() <= now {
                return;
            }
            let goes = |one: &(u8, Refusal)| {
                let is_another = one.1.quota != refusal.quota;
                one.0 == key && (is_another || one.1.cost % 4 == refusal.cost % 4)
            };
            self.refusals.retain(|one| !goes(one));
            if self.refusals.len() == MOST {
                self.refusals.remove(self.first().unwrap());
            }
            self.refusals.push((key, refusal));
        }
    }

    fn steps() -> impl Strategy<Value = Vec<(Ticks, Step)>> {
        let gap = prop_oneof![3 => Just(0), 3 => 0..3 * SLOT, 1 => 0..3 * SECOND, 1 => Just(SLOT)];
        let retry = prop_oneof![1..SLOT, 1..2 * SECOND, Just(SECOND)];
        let quota = prop_oneof![5 => Just(0), 1 => Just(1)];
        let keep = (0..4_u8, 1..7_u32, quota, 0..2 * SLOT, retry).prop_map(
            |(key, cost, quota, age, retry)| Step::Keep {
                key,
                cost,
                quota,
                age,
                retry,
            },
        );
        let step = prop_oneof![9 => keep, 1 => (0..4_u8).prop_map(|key| Step::Forget { key })];
        prop::collection::vec((gap, step), 1..60)
    }

    proptest! {
        #[test]
        fn answers_are_those_of_a_list_that_is_looked_through(steps in steps()) {
            let hasher = KeyHasher::random();
            let (mut kept, mut model) = (Kept::new(MOST), Model::default());
            let mut now = SECOND;
            for (gap, step) in steps {
                now += gap;
                match step {
                    Step::Keep { key, cost, quota, age, retry } => {
                        let made_at = now - age;
                        let refusal =
                            Refusal { cost, quota, remaining: key.into(), retry_after: retry, reset_after: 0, made_at };
                        kept.keep(hasher.fingerprint(&[key]), refusal, now);
                        model.keep(key, refusal, now);
                    }
                    Step::Forget { key } => {
                        kept.forget(hasher.fingerprint(&[key]));
                        model.refusals.retain(|one| one.0 != key);
                    }
                }
                prop_assert_eq!(kept.len(), model.refusals.len());
                let asked = (0..4).flat_map(|key| (1..7).map(move |cost| (key, cost)));
                for ((key, cost), quota) in asked.flat_map(|one| [(one, 0), (one, 1)]) {
                    let found = kept.refusal(hasher.fingerprint(&[key]), cost, quota, now);
                    prop_assert_eq!(found, model.refusal(key, cost, quota, now));
                }
            }
        }
    }

    #[test]
    fn as_many_are_kept_as_fit_and_memory_does_not_grow() {
        let hasher = KeyHasher::random();
        let mut kept = Kept::new(1000);
        for number in 0..50_000_u64 {
            let made_at = number * 10;
            let refusal = Refusal {
                cost: 1,
                quota: 0,
                remaining: 0,
                retry_after: SECOND,
                reset_after: 0,
                made_at,
            };
            kept.keep(hasher.fingerprint(&number.to_ne_bytes()), refusal, made_at);
            let key = |number: u64| hasher.fingerprint(&number.to_ne_bytes());
            assert!(kept.refusal(key(number), 1, 0, made_at).is_some());
            if number >= 1000 {
                assert!(kept.refusal(key(number - 999), 1, 0, made_at).is_some());
                assert!(kept.refusal(key(number - 1000), 1, 0, made_at).is_none());
                assert_eq!(kept.len(), 1000);
            }
        }
    }
}
