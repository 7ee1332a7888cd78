//! The limiters in this process that stand in for a server, kept between limiters.
//!
//! A program may make a limiter for every request; its stand-in has to know the last ones.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use super::settings::Settings;
use crate::store::Store;
use crate::store::fork::locked_now;

/// Which limiters share one: those that share a server, a prefix and a quota.
pub type StandInKey = (Settings, String, String);

/// From so many on, those that no limiter uses are dropped.
const MANY: usize = 256;

static STAND_INS: LazyLock<Mutex<HashMap<StandInKey, Arc<dyn Store>>>> =
    LazyLock::new(Mutex::default);

/// The stand-in of that name, made if there is none.
pub fn stand_in(key: StandInKey, make: impl FnOnce() -> Arc<dyn Store>) -> Arc<dyn Store> {
    let mut stand_ins = locked_now(&STAND_INS);
    if stand_ins.len() >= MANY && !stand_ins.contains_key(&key) {
        stand_ins.retain(|_, store| Arc::strong_count(store) > 1);
    }
    Arc::clone(stand_ins.entry(key).or_insert_with(make))
}
