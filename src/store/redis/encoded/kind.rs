//! Which quotas keep the same state.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};

use crate::algorithm::AnyAlgorithm;

/// A hash of what quotas have in common by which the same state is kept.
pub(super) fn kind_of(rule: &AnyAlgorithm) -> u32 {
    let mut hasher = BuildHasherDefault::<DefaultHasher>::default().build_hasher();
    match rule {
        AnyAlgorithm::TokenBucket(rule) => {
            let (_, token, tick) = rule.grains_of();
            (token, tick).hash(&mut hasher);
        }
        AnyAlgorithm::SlidingLog(_) => {} // it tells times, whatever the window
        rule => (rule.window(), rule.calendar()).hash(&mut hasher),
    }
    hasher.finish() as u32
}
