//! Many keys in one call: a shard is locked once for all keys of a chunk that it holds.

use crate::error;
use crate::quota::Quota;
use crate::store::memory::decide::Answer;
use crate::store::memory::shards::{SHARDS, place_of};
use crate::store::memory::{
    Algorithm, Ask, Fingerprint, MemoryStore, Patience, Result, Stop, Store, Ticks,
};

/// What is asked of each key.
type Wanted<'a> = (u32, Option<&'a Quota>);

/// So many keys are sorted by their shards, at one time of the clock.
const CHUNK: usize = 1_024;

/// The places of a chunk's keys, by shard.
struct ByShard {
    places: [u16; CHUNK],
    /// Where each shard's places begin, and the last one's end.
    begins: [u16; SHARDS + 1],
}

impl ByShard {
    /// Keys of one shard stay in their order.
    fn of(keys: &[Fingerprint]) -> Self {
        let mut begins = [0; SHARDS + 1];
        for key in keys {
            begins[place_of(*key) + 1] += 1;
        }
        for shard in 0..SHARDS {
            begins[shard + 1] += begins[shard];
        }
        let (mut places, mut next) = ([0; CHUNK], begins);
        for (place, key) in keys.iter().enumerate() {
            let next = &mut next[place_of(*key)];
            places[usize::from(*next)] = place as u16;
            *next += 1;
        }
        Self { places, begins }
    }

    fn shards(&self) -> impl Iterator<Item = &[u16]> {
        let ends = self.begins.windows(2);
        let all = ends.map(|ends| &self.places[usize::from(ends[0])..usize::from(ends[1])]);
        all.filter(|places| !places.is_empty())
    }
}

impl<A: Algorithm> MemoryStore<A> {
    /// Decide for the keys that have no answer yet. Only one key's calls have an order.
    pub(in crate::store::memory) fn decide_many(
        &self,
        keys: &[Fingerprint],
        (cost, quota): Wanted<'_>,
        answers: &mut [Option<bool>],
        patience: Patience,
    ) -> Result<()> {
        let decided = keys
            .chunks(CHUNK)
            .zip(answers.chunks_mut(CHUNK))
            .filter(|(_, answers)| answers.contains(&None))
            .try_for_each(|(keys, answers)| {
                self.decide_chunk(keys, (cost, quota), answers, patience)
            });
        match decided {
            // The quota has shrunk since: what was spent keeps its answer.
            Err(Stop::Invalid(_)) if answers.iter().any(Option::is_some) => {
                for answer in answers {
                    answer.get_or_insert(false);
                }
                Ok(())
            }
            done => done,
        }
    }

    fn decide_chunk(
        &self,
        keys: &[Fingerprint],
        (cost, quota): Wanted<'_>,
        answers: &mut [Option<bool>],
        patience: Patience,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut left = false;
        for places in ByShard::of(keys).shards() {
            left |= self.decide_in_shard(keys, places, (cost, quota), answers, now, patience)?;
        }
        if left {
            for (&key, answer) in keys.iter().zip(answers) {
                if answer.is_none() {
                    *answer =
                        Some(self.is_allowed(Ask { key, cost, quota }, Some(now), patience)?);
                }
            }
        }
        Ok(())
    }

    /// Decide for the keys at `places`, which are of one shard. Says whether some are left, which
    /// others wait for or for which there is no room.
    fn decide_in_shard(
        &self,
        keys: &[Fingerprint],
        places: &[u16],
        (cost, quota): Wanted<'_>,
        answers: &mut [Option<bool>],
        now: Ticks,
        patience: Patience,
    ) -> Result<bool> {
        let mut shard = self.lock(keys[usize::from(places[0])], patience)?;
        let now = shard.at(now);
        error::fits(cost, shard.limit(quota))?;
        let mut left = false;
        for &place in places {
            let (key, answer) = (keys[usize::from(place)], &mut answers[usize::from(place)]);
            if answer.is_some() {
                continue;
            }
            self.tend(&mut shard, now);
            let decided = if shard.has_queue(key) {
                None
            } else {
                {
                    let call = Ask { key, cost, quota }.into();
                    self.spend(&mut shard, call, now, &mut |_, _, _, _| ())?
                }
            };
            if let Some(decided) = decided {
                let allowed = decided == Answer::Allowed;
                shard.count(allowed);
                *answer = Some(allowed);
            } else {
                left = true;
            }
        }
        Ok(left)
    }
}
