//! The permits of one limiter that this process holds in Redis, or lends in the server's place.

mod table;

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use redis::Value;

use super::encoded::Verb;
use super::server::generation;
use crate::store::KeyHasher;
use crate::store::fork::locked_now;
use table::{Held, Known, Name, Table};

/// So many ids go into one request.
const MOST_IDS: usize = 500;

/// Of which permits a call is.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    /// Their numbers; no two permits of this process have the same.
    pub numbers: Vec<u64>,
    /// The event loop that renews them; 0 for any.
    pub home: usize,
    /// Whether nobody is told when the server does not answer.
    pub quiet: bool,
}

/// Requests that keep the server informed: the verb, the key, and whose.
pub type Due = (Verb, Vec<u8>, Holders);

/// What is held, by key and id. A forked child holds nothing.
pub(super) struct Leases {
    hasher: KeyHasher,
    lease: Duration,
    table: Mutex<Table>,
}

impl Leases {
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            hasher: KeyHasher::random(),
            lease,
            table: Mutex::new(Table::new()),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        let mut table = locked_now(&self.table);
        if table.generation != generation() {
            *table = Table::new();
        }
        table
    }

    fn name(&self, key: &[u8], number: u64) -> Name {
        (self.hasher.fingerprint(key), number)
    }

    /// What the server knows them by. An id ends in ":" and its lease, by which the scripts know an
    /// end that is too far ahead.
    pub(super) fn ids(&self, holders: &Holders) -> Vec<String> {
        let (table, lease) = (self.table(), self.lease.as_micros());
        let id = |number| format!("{}{number:x}:{lease}", table.token);
        holders.numbers.iter().map(id).collect()
    }

    /// The server has answered a call that was made at `made_at`.
    pub(super) fn hear(
        &self,
        verb: Verb,
        key: &[u8],
        holders: &Holders,
        made_at: Instant,
        reply: &Value,
    ) {
        let (mut table, ends) = (self.table(), made_at + self.lease);
        let is_live =
            |place| matches!(reply, Value::Array(told) if told.get(place) == Some(&Value::Int(1)));
        for (place, number) in holders.numbers.iter().enumerate() {
            let name = self.name(key, *number);
            match verb {
                Verb::Check => table.hold(name, key, holders.home, Held::Leased(ends)),
                Verb::Renew => table.renewed(name, is_live(place).then_some(ends)),
                _ => table.released(name),
            }
        }
    }

    /// One that counts nothing.
    pub(super) fn uncounted(&self, key: &[u8], holders: &Holders) {
        for number in &holders.numbers {
            let name = self.name(key, *number);
            self.table().hold(name, key, holders.home, Held::Uncounted);
        }
    }

    /// The server did not say whether it has granted it, so it is to be given back there. Whether
    /// it is lent here, as one of a `share`: this process never holds more than `limit`, with what it
    /// has in Redis.
    pub(super) fn lend(&self, key: &[u8], holders: &Holders, share: u32, limit: u32) -> bool {
        let (now, mut table) = (Instant::now(), self.table());
        holders.numbers.iter().all(|number| {
            let name = self.name(key, *number);
            let (leased, lent) = table.count(name.0, now);
            let lends = lent < share && leased + lent < limit;
            let is_given_up = table.known.contains_key(&name);
            table.leave(name, key, holders.home, now + self.lease);
            if lends && !is_given_up {
                let known = table
                    .known
                    .entry(name)
                    .or_insert_with(|| Known::new(key, holders.home));
                known.held = Some(Held::Lent);
            }
            lends
        })
    }

    /// It is not held any more. True if that is all: it was lent here.
    pub(super) fn leave(&self, key: &[u8], number: u64) -> bool {
        let (name, mut table) = (self.name(key, number), self.table());
        if let Some(known) = table.known.get_mut(&name)
            && matches!(known.held.take(), Some(Held::Lent | Held::Uncounted))
        {
            if known.leaving_until.is_none() {
                table.known.remove(&name);
            }
            return true;
        }
        table.leave(name, key, 0, Instant::now() + self.lease);
        false
    }

    /// Nobody holds any permit any more. What was given back, the server is still told.
    pub(super) fn forget_all(&self) {
        self.table().known.retain(|_, known| {
            known.held = None;
            known.leaving_until.is_some()
        });
    }

    pub(super) fn holds(&self, key: &[u8], number: u64) -> bool {
        let table = self.table();
        let known = table.known.get(&self.name(key, number));
        known.is_some_and(|known| match known.held {
            Some(Held::Leased(ends)) => Instant::now() < ends,
            held => held.is_some(),
        })
    }

    /// What a loop has to renew, and to give back once more.
    pub(super) fn due(&self, home: usize) -> Vec<Due> {
        let mut table = self.table();
        table.forget_what_is_over(Instant::now());
        let mut due = Vec::new();
        for verb in [Verb::Renew, Verb::Refund] {
            let is_due = |known: &Known| match verb {
                Verb::Renew => known.is_leased(),
                _ => known.leaving_until.is_some(),
            };
            let all = table.known.iter();
            let mine: Vec<_> = all
                .filter(|(_, known)| [home, 0].contains(&known.home) && is_due(known))
                .collect();
            let by_key = mine.chunk_by(|(one, _), (other, _)| one.0 == other.0);
            for batch in by_key.flat_map(|same_key| same_key.chunks(MOST_IDS)) {
                let holders = Holders {
                    numbers: batch.iter().map(|(name, _)| name.1).collect(),
                    home,
                    quiet: true,
                };
                due.push((verb, batch[0].1.key.to_vec(), holders));
            }
        }
        due
    }

    /// Whether nothing is to be renewed or given back.
    pub(super) fn is_idle(&self) -> bool {
        let to_be_told = |known: &Known| known.is_leased() || known.leaving_until.is_some();
        !self.table().known.values().any(to_be_told)
    }
}

#[cfg(test)]
mod tests {
    use super::table::MOST_KNOWN;
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    fn of(number: u64) -> Holders {
        Holders {
            numbers: vec![number],
            home: 7,
            quiet: false,
        }
    }

    fn granted(leases: &Leases, number: u64, made_at: Instant) {
        let reply = Value::Array(vec![]);
        leases.hear(Verb::Check, b"k", &of(number), made_at, &reply);
    }

    fn due(leases: &Leases, home: usize) -> Vec<(Verb, Vec<u64>)> {
        let due = leases.due(home).into_iter();
        due.map(|(verb, _, holders)| (verb, holders.numbers))
            .collect()
    }

    #[test]
    fn with_what_is_leased_no_more_than_the_limit_is_lent() {
        let leases = Leases::new(LEASE);
        granted(&leases, 0, Instant::now());
        let lent = [1, 2, 3].map(|number| leases.lend(b"k", &of(number), 2, 9));
        assert_eq!(lent, [true, true, false], "a share of two");
        let lent = [4, 5].map(|number| leases.lend(b"k", &of(number), 9, 4));
        assert_eq!(lent, [true, false], "four of all");
        assert!(leases.lend(b"another", &of(6), 1, 1));
        assert!(!leases.leave(b"k", 0), "the server is to be told");
        assert!(leases.lend(b"k", &of(7), 9, 4));
        assert!(leases.leave(b"k", 7) && leases.lend(b"k", &of(8), 9, 4));
    }

    #[test]
    fn what_was_given_up_is_held_by_nobody() {
        let leases = Leases::new(LEASE);
        for number in 0..2 {
            assert!(!leases.leave(b"k", number));
        }
        granted(&leases, 0, Instant::now());
        leases.lend(b"k", &of(1), 1, 1);
        assert!(!leases.holds(b"k", 0) && !leases.holds(b"k", 1));
        assert!(leases.lend(b"k", &of(2), 1, 1) && leases.holds(b"k", 2));
    }

    #[test]
    fn a_loop_renews_what_it_holds_and_gives_back_what_it_held() {
        let (leases, now) = (Leases::new(LEASE), Instant::now());
        for number in 0..3 {
            granted(&leases, number, now);
        }
        granted(
            &leases,
            3,
            now.checked_sub(LEASE).expect("it was up before"),
        );
        leases.lend(b"k", &of(4), 9, 9);
        assert!(!leases.holds(b"k", 3), "it has run out");
        leases.leave(b"k", 1);
        let told = [(Verb::Renew, vec![0, 2]), (Verb::Refund, vec![1, 4])];
        assert_eq!((due(&leases, 7), due(&leases, 8)), (told.to_vec(), vec![]));
        let both = Holders {
            numbers: vec![0, 2],
            ..of(0)
        };
        let reply = Value::Array(vec![Value::Int(0), Value::Int(1)]);
        leases.hear(Verb::Renew, b"k", &both, now, &reply);
        for number in [1, 4] {
            leases.hear(Verb::Refund, b"k", &of(number), now, &reply);
        }
        assert_eq!(due(&leases, 7), [(Verb::Renew, vec![2])]);
        assert!(leases.holds(b"k", 4), "lent, not leased");
        leases.hear(Verb::Refund, b"k", &of(2), now, &reply);
        assert!(leases.is_idle());
    }

    #[test]
    fn what_is_forgotten_is_not_held_nor_renewed() {
        let leases = Leases::new(LEASE);
        granted(&leases, 0, Instant::now());
        leases.lend(b"k", &of(1), 9, 9);
        granted(&leases, 2, Instant::now());
        leases.leave(b"k", 2);
        leases.forget_all();
        assert!([0, 1, 2].iter().all(|&number| !leases.holds(b"k", number)));
        assert_eq!(
            due(&leases, 7),
            [(Verb::Refund, vec![1, 2])],
            "the server may have granted them"
        );
        granted(&leases, 3, Instant::now());
        assert!(leases.holds(b"k", 3) && leases.lend(b"k", &of(4), 1, 9));
    }

    #[test]
    fn so_many_releases_are_sent_again_and_so_many_at_once() {
        let leases = Leases::new(LEASE);
        for number in 0..=MOST_KNOWN as u64 {
            leases.leave(b"k", number);
            leases.leave(b"k", number);
        }
        let sizes: Vec<_> = due(&leases, 7).iter().map(|due| due.1.len()).collect();
        assert_eq!(sizes, vec![MOST_IDS; MOST_KNOWN / MOST_IDS]);
        for number in 0..MOST_KNOWN as u64 {
            let (now, reply) = (Instant::now(), Value::Int(0));
            leases.hear(Verb::Refund, b"k", &of(number), now, &reply);
        }
        assert!(leases.is_idle());
    }
}
