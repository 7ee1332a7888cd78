//! Permits of many keys: at most so many of each are held at once, and a line for those who wait.

use std::collections::{HashMap, VecDeque};
use std::mem::take;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use super::Wake;
use super::fork::locked_now;
use crate::fork::{self, Forks, Held, HeldLock};

const WAITING: u8 = 0;
const HELD: u8 = 1;
/// Held beside the limit, which was off.
const UNCOUNTED: u8 = 2;
const OVER: u8 = 3;

/// One permit, or the wait for it.
pub struct Grant {
    key: Box<[u8]>,
    /// Its place in line: those of later comers are larger.
    ticket: u64,
    /// Changed under the lock, unless nobody else knows of it.
    state: AtomicU8,
    /// A forked child has none of its parent's permits.
    generation: u64,
}

struct Waiting {
    grant: Arc<Grant>,
    wake: Arc<dyn Wake>,
}

/// A key's permits. Nobody waits while one is free.
#[derive(Default)]
struct Line {
    live: u32,
    waiting: VecDeque<Waiting>,
}

type Lines = HashMap<Box<[u8]>, Line>;

/// The permits of all keys.
pub struct Permits {
    limit: u32,
    /// Those keys of which a permit is held.
    lines: Mutex<Lines>,
    tickets: AtomicU64,
    generation: AtomicU64,
}

impl Permits {
    /// `limit` permits a key, all free.
    #[must_use]
    pub fn new(limit: u32) -> Arc<Self> {
        let permits = Arc::new(Self {
            limit,
            lines: Mutex::default(),
            tickets: AtomicU64::new(0),
            generation: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&permits);
        fork::register(weak);
        permits
    }

    /// How many permits a key has.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Keys of which a permit is held.
    #[must_use]
    pub fn keys(&self) -> usize {
        locked_now(&self.lines).len()
    }

    /// How many permits of `key` are held, and how many callers wait for one.
    #[must_use]
    pub fn count(&self, key: &[u8]) -> (u32, usize) {
        let lines = locked_now(&self.lines);
        let line = lines.get(key);
        line.map_or((0, 0), |line| (line.live, line.waiting.len()))
    }

    /// A permit, if one is free.
    #[must_use]
    pub fn take(&self, key: &[u8]) -> Option<Arc<Grant>> {
        let mut lines = locked_now(&self.lines);
        self.is_free(&mut lines, key).then(|| self.grant(key, HELD))
    }

    /// A permit if one is free, or else a place in line; `wake` is called once it is held.
    #[must_use]
    pub fn join(&self, key: &[u8], wake: Arc<dyn Wake>) -> Arc<Grant> {
        let mut lines = locked_now(&self.lines);
        if self.is_free(&mut lines, key) {
            return self.grant(key, HELD);
        }
        let grant = self.grant(key, WAITING);
        if let Some(line) = lines.get_mut(key) {
            let grant = Arc::clone(&grant);
            line.waiting.push_back(Waiting { grant, wake });
        }
        grant
    }

    /// A permit that counts for nothing.
    #[must_use]
    pub fn uncounted(&self) -> Arc<Grant> {
        self.grant(&[], UNCOUNTED)
    }

    /// Whether it counts: it was neither released nor left behind in another process.
    #[must_use]
    pub fn holds(&self, grant: &Grant) -> bool {
        self.is_ours(grant) && matches!(grant.state.load(SeqCst), HELD | UNCOUNTED)
    }

    /// Wait no longer, but go on beside the limit.
    pub fn excuse(&self, grant: &Grant) {
        let _waited = {
            let mut lines = locked_now(&self.lines);
            self.unqueue(&mut lines, grant, UNCOUNTED)
        };
    }

    /// Give it back, to the first who waits, or wait no longer. A second time does nothing.
    pub fn release(&self, grant: &Grant) {
        let (_waited, next) = {
            let mut lines = locked_now(&self.lines);
            let waited = self.unqueue(&mut lines, grant, OVER);
            let held = grant.state.swap(OVER, SeqCst) == HELD && self.is_ours(grant);
            let next = held.then(|| Self::next(&mut lines, &grant.key)).flatten();
            (waited, next)
        };
        self.hand_over(next);
    }

    fn grant(&self, key: &[u8], state: u8) -> Arc<Grant> {
        Arc::new(Grant {
            key: key.into(),
            ticket: self.tickets.fetch_add(1, SeqCst),
            state: AtomicU8::new(state),
            generation: self.generation.load(SeqCst),
        })
    }

    fn is_ours(&self, grant: &Grant) -> bool {
        grant.generation == self.generation.load(SeqCst)
    }

    /// Whether one is free, which is taken.
    fn is_free(&self, lines: &mut Lines, key: &[u8]) -> bool {
        match lines.get_mut(key) {
            Some(line) if line.live >= self.limit => return false,
            Some(line) => line.live += 1,
            None => {
                let line = Line {
                    live: 1,
                    ..Line::default()
                };
                lines.insert(key.into(), line);
            }
        }
        true
    }

    /// Take one who waits out of the line; to be dropped without the lock.
    fn unqueue(&self, lines: &mut Lines, grant: &Grant, state: u8) -> Option<Waiting> {
        if grant.state.load(SeqCst) != WAITING || !self.is_ours(grant) {
            return None;
        }
        grant.state.store(state, SeqCst);
        let waiting = &mut lines.get_mut(&grant.key)?.waiting;
        let position = waiting.binary_search_by_key(&grant.ticket, |other| other.grant.ticket);
        waiting.remove(position.ok()?)
    }

    /// A permit is given back: the first in line has it now, or else it is free.
    fn next(lines: &mut Lines, key: &[u8]) -> Option<Waiting> {
        let line = lines.get_mut(key)?;
        if let Some(first) = line.waiting.pop_front() {
            first.grant.state.store(HELD, SeqCst);
            return Some(first);
        }
        line.live -= 1;
        if line.live == 0 {
            lines.remove(key);
        }
        None
    }

    /// Tell the next one. A permit of one who is not there any more goes on.
    fn hand_over(&self, mut next: Option<Waiting>) {
        while let Some(gone) = next.take_if(|next| !next.wake.wake()) {
            let mut lines = locked_now(&self.lines);
            let grant = &gone.grant;
            let held = grant.state.swap(OVER, SeqCst) == HELD;
            next = held.then(|| Self::next(&mut lines, &grant.key)).flatten();
        }
    }
}

impl Forks for Permits {
    fn hold(self: Arc<Self>) -> Box<dyn Held> {
        HeldLock::of(
            self,
            |permits| &permits.lines,
            |permits, lines| {
                permits.generation.fetch_add(1, SeqCst);
                // No wake-up of theirs is a Python object.
                drop(take(lines));
            },
        )
    }

    fn wake_all(&self) {
        let lines = locked_now(&self.lines);
        let everybody: Vec<_> = lines
            .values()
            .flat_map(|line| &line.waiting)
            .map(|waiting| Arc::clone(&waiting.wake))
            .collect();
        drop(lines);
        for wake in everybody {
            wake.wake();
        }
    }
}
