//! The limiters in this process that stand in for a server, kept between limiters.
//!
//! A program may make a limiter for every request; its stand-in has to know the last ones.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use super::server::Settings;
use crate::store::Store;
use crate::store::fork::locked_now;

/// Which limiters share one: those that share a server, a prefix and a quota.
pub type StandInKey = (Settings, String, String);

/// From so many on, those that no limiter uses are dropped.
const MANY: usize = 256;

static STAND_INS: LazyLock<Mutex<StandIns>> = LazyLock::new(Mutex::default);

/// The stand-in of that name, made if there is none.
pub fn stand_in(key: StandInKey, make: impl FnOnce() -> Arc<dyn Store>) -> Arc<dyn Store> {
    Arc::clone(stand_ins_for(&key).entry(key).or_insert_with(make))
}

/// The stand-in of that name, if a limiter uses it, or else `copy` of `before` by that name: one
/// that nobody uses has not seen what was spent since. `before` is forgotten if only the caller
/// uses it, or each change of a quota would leave a copy of all keys behind.
pub fn stand_in_from(
    key: StandInKey,
    before: &Arc<dyn Store>,
    copy: impl FnOnce() -> Arc<dyn Store>,
) -> Arc<dyn Store> {
    let mut stand_ins = stand_ins_for(&key);
    let store = match stand_ins.get(&key) {
        Some(store) if Arc::strong_count(store) > 1 => Arc::clone(store),
        _ => {
            let store = copy();
            stand_ins.insert(key, Arc::clone(&store));
            store
        }
    };
    // Here and in the caller's quota.
    if !Arc::ptr_eq(&store, before) && Arc::strong_count(before) <= 2 {
        stand_ins.retain(|_, other| !Arc::ptr_eq(other, before));
    }
    store
}

type StandIns = HashMap<StandInKey, Arc<dyn Store>>;

fn stand_ins_for(key: &StandInKey) -> MutexGuard<'static, StandIns> {
    let mut stand_ins = locked_now(&STAND_INS);
    if stand_ins.len() >= MANY && !stand_ins.contains_key(key) {
        stand_ins.retain(|_, store| Arc::strong_count(store) > 1);
    }
    stand_ins
}
