//! Waiting on a thread of one's own.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Wake;
use super::fork::locked_now;

/// Where a thread sleeps until it is woken or a time has passed.
#[derive(Debug, Default)]
pub struct Parker {
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Parker {
    /// Sleep until woken, at most for `longest`. A wake-up before the call counts.
    pub fn park(&self, longest: Option<Duration>) {
        let woken = locked_now(&self.woken);
        let asleep = |woken: &mut bool| !*woken;
        let mut woken = if let Some(longest) = longest {
            let slept = self.bell.wait_timeout_while(woken, longest, asleep);
            slept.unwrap_or_else(PoisonError::into_inner).0
        } else {
            let slept = self.bell.wait_while(woken, asleep);
            slept.unwrap_or_else(PoisonError::into_inner)
        };
        *woken = false;
    }
}

impl Wake for Parker {
    fn wake(&self) -> bool {
        *locked_now(&self.woken) = true;
        self.bell.notify_one();
        true
    }

    fn blocks_this_thread(&self) -> bool {
        true
    }
}
