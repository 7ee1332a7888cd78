//! Waiting on a thread of one's own.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::queue::Wake;

/// Where a thread sleeps until it is woken or a time has passed.
#[derive(Debug, Default)]
pub struct Parker {
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Parker {
    /// Sleep until woken, at most for `longest`. A wake-up before the call counts.
    pub fn park(&self, longest: Duration) {
        let mut woken = self.woken.lock();
        if !*woken {
            self.bell.wait_for(&mut woken, longest);
        }
        *woken = false;
    }
}

impl Wake for Parker {
    fn wake(&self) -> bool {
        *self.woken.lock() = true;
        self.bell.notify_one();
        true
    }

    fn blocks_this_thread(&self) -> bool {
        true
    }
}
