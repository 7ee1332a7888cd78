//! What users should know of their servers, until somebody logs it.

use std::mem::take;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::store::fork::locked_now;

/// The same is not said again for so long.
pub(in crate::store::redis) const SILENCE: Duration = Duration::from_secs(60);
/// So many different things are remembered as said.
const MOST: usize = 64;

static WAITING: Mutex<Vec<String>> = Mutex::new(Vec::new());
static SAID: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());
static ANY: AtomicBool = AtomicBool::new(false);

/// Say it, unless it was said a moment ago.
pub fn notice(text: String) {
    let now = Instant::now();
    let mut said = locked_now(&SAID);
    said.retain(|(_, at)| now.duration_since(*at) < SILENCE);
    if said.len() >= MOST || said.iter().any(|(same, _)| *same == text) {
        return;
    }
    said.push((text.clone(), now));
    locked_now(&WAITING).push(text);
    ANY.store(true, Relaxed);
}

/// Notices that nobody has taken yet. Costs one load when there are none.
#[must_use]
pub fn take_notices() -> Vec<String> {
    if ANY.load(Relaxed) && ANY.swap(false, Relaxed) {
        return take(&mut locked_now(&WAITING));
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once() {
        for text in ["one", "two", "one"] {
            notice(text.to_owned());
        }
        assert_eq!(take_notices(), ["one", "two"]);
        assert!(take_notices().is_empty());
    }
}
