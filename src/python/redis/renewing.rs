//! Permits that threads hold are renewed by the thread that talks to servers, while there are any.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::time::Duration;

use pyo3::PyResult;
use tokio::time::sleep;

use super::blocking::post;
use super::lazy_route::LazyRoute;
use crate::store::redis::{RedisLimiter, generation, handle};

/// The home of what threads hold: no event loop's bridge has this number.
pub(super) const THREADS: usize = 1;

/// One limiter's renewals.
#[derive(Default)]
pub(super) struct Renewals {
    /// The generation in which a task runs, plus one: a forked child has none.
    runs_in: AtomicU64,
}

impl Renewals {
    /// Begin to renew what threads hold, every third of the lease, unless that is done already.
    pub(super) fn begin(
        self: &Arc<Self>,
        limiter: &Arc<RedisLimiter>,
        route: &Arc<LazyRoute>,
    ) -> PyResult<()> {
        let now = generation() + 1;
        if limiter.is_idle() || self.runs_in.swap(now, SeqCst) == now {
            return Ok(());
        }
        let task = Task {
            renewals: Arc::clone(self),
            limiter: Arc::downgrade(limiter),
            route: Arc::downgrade(route),
            pause: Duration::from_micros(limiter.quota().window()) / 3,
        };
        handle()?.spawn(task.run(now));
        Ok(())
    }
}

struct Task {
    renewals: Arc<Renewals>,
    limiter: Weak<RedisLimiter>,
    route: Weak<LazyRoute>,
    pause: Duration,
}

impl Task {
    async fn run(self, now: u64) {
        loop {
            sleep(self.pause).await;
            if self.tell() {
                continue;
            }
            self.renewals.runs_in.store(0, SeqCst);
            // What was acquired before that may have relied on this task.
            if !self.tell() || self.renewals.runs_in.swap(now, SeqCst) == now {
                return;
            }
        }
    }

    /// Renew what is held, and give back again what may not have been. False: nothing is.
    fn tell(&self) -> bool {
        let (Some(limiter), Some(route)) = (self.limiter.upgrade(), self.route.upgrade()) else {
            return false;
        };
        let due = limiter.due(THREADS);
        let is_needed = !due.is_empty();
        let calls = due.into_iter().filter_map(|(verb, key, holders)| {
            let cost = holders.numbers.len() as u32;
            limiter.call(limiter.quota(), verb, key, cost, holders).ok()
        });
        if is_needed && let Ok(route) = route.get() {
            post(&route, calls.collect());
        }
        is_needed
    }
}
