//! Callers that await the same thing go on in the order in which they came.

use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout_at};

/// A caller that has waited this long in vain may settle the value for the others.
const PATIENCE: Duration = Duration::from_millis(100);

/// A value that is settled sooner or later, and the line of those who wait for it.
pub(super) struct OrderedWatch<T> {
    value: watch::Sender<T>,
    // A watch wakes all at once, in any order; this lock is handed on in the order of asking.
    turn: Mutex<()>,
}

impl<T: Clone> OrderedWatch<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            value: watch::Sender::new(value),
            turn: Mutex::const_new(()),
        }
    }

    /// The value once it is `settled`. At the deadline it becomes what `otherwise` says, if it
    /// was far enough away, so that the next callers need not wait as long; then this is `None`.
    ///
    /// Callers of one thread that send before they await anything else do so in their order.
    pub(super) async fn wait(
        &self,
        settled: impl Fn(&T) -> bool,
        deadline: Instant,
        otherwise: impl FnOnce() -> T,
    ) -> Option<T> {
        let begun = Instant::now();
        let found = timeout_at(deadline, async {
            let _turn = self.turn.lock().await;
            if let Some(value) = Some(&*self.value.borrow()).filter(|value| settled(value)) {
                return Some(value.clone());
            }
            let mut value = self.value.subscribe();
            let value = value.wait_for(&settled).await.ok()?;
            Some(value.clone())
        });
        if let Ok(value) = found.await {
            return value;
        }
        // A caller that had little time has learnt nothing for those who have more.
        if begun.elapsed() < PATIENCE {
            return None;
        }
        self.change(|value| {
            let waiting = !settled(value);
            if waiting {
                *value = otherwise();
            }
            waiting
        });
        None
    }

    pub(super) fn set(&self, value: T) {
        self.value.send_replace(value);
    }

    /// Change the value; `change` says whether it did.
    pub(super) fn change(&self, change: impl FnOnce(&mut T) -> bool) {
        self.value.send_if_modified(change);
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<T> {
        self.value.subscribe()
    }
}
