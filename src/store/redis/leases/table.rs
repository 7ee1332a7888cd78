//! What is known of permits: whose they are, and whether the server is still to be told.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Instant;

use ring::rand::{SecureRandom, SystemRandom};

use crate::store::Fingerprint;
use crate::store::redis::server::generation;

/// Beyond so many permits, a release that has no answer is not sent again.
pub(super) const MOST_KNOWN: usize = 100_000;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Held {
    /// In Redis, until then at least.
    Leased(Instant),
    /// Here, in the server's place.
    Lent,
    /// Beside the limit: limits were off.
    Uncounted,
}

pub(super) struct Known {
    pub(super) key: Box<[u8]>,
    pub(super) home: usize,
    pub(super) held: Option<Held>,
    /// It may be in Redis and is to be given back there, until it would have run out.
    pub(super) leaving_until: Option<Instant>,
}

pub(super) type Name = (Fingerprint, u64);

pub(super) struct Table {
    pub(super) generation: u64,
    /// What ids begin with: no other process has it.
    pub(super) token: String,
    pub(super) known: BTreeMap<Name, Known>,
}

impl Known {
    pub(super) fn new(key: &[u8], home: usize) -> Self {
        Self {
            key: key.into(),
            home,
            held: None,
            leaving_until: None,
        }
    }

    pub(super) fn is_leased(&self) -> bool {
        matches!(self.held, Some(Held::Leased(_)))
    }
}

impl Table {
    pub(super) fn new() -> Self {
        let mut bytes = [0; 8];
        SystemRandom::new()
            .fill(&mut bytes)
            .expect("the system gives random bytes");
        let letter = |byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
        Self {
            generation: generation(),
            token: bytes.into_iter().map(letter).collect(),
            known: BTreeMap::new(),
        }
    }

    /// It is held now, unless it was given up meanwhile.
    pub(super) fn hold(&mut self, name: Name, key: &[u8], home: usize, held: Held) {
        if let Entry::Vacant(place) = self.known.entry(name) {
            place.insert(Known {
                held: Some(held),
                ..Known::new(key, home)
            });
        }
    }

    pub(super) fn renewed(&mut self, name: Name, ends: Option<Instant>) {
        if let Entry::Occupied(mut known) = self.known.entry(name)
            && known.get().is_leased()
        {
            match ends {
                Some(ends) => known.get_mut().held = Some(Held::Leased(ends)),
                None => drop(known.remove()),
            }
        }
    }

    pub(super) fn leave(&mut self, name: Name, key: &[u8], home: usize, until: Instant) {
        if self.known.len() < MOST_KNOWN || self.known.contains_key(&name) {
            let known = self.known.entry(name);
            let known = known.or_insert_with(|| Known::new(key, home));
            known.leaving_until.get_or_insert(until);
        }
    }

    pub(super) fn released(&mut self, name: Name) {
        if let Entry::Occupied(mut known) = self.known.entry(name) {
            known.get_mut().leaving_until = None;
            if known.get().held != Some(Held::Lent) {
                known.remove();
            }
        }
    }

    /// How many of a key are leased, and how many lent.
    pub(super) fn count(&self, key: Fingerprint, now: Instant) -> (u32, u32) {
        let all = self.known.range((key, 0)..);
        let held = all
            .take_while(|((same, _), _)| *same == key)
            .map(|(_, known)| known.held);
        held.fold((0, 0), |(leased, lent), held| match held {
            Some(Held::Leased(ends)) if now < ends => (leased + 1, lent),
            Some(Held::Lent) => (leased, lent + 1),
            _ => (leased, lent),
        })
    }

    pub(super) fn forget_what_is_over(&mut self, now: Instant) {
        self.known.retain(|_, known| {
            let lasts = |held: &Held| !matches!(held, Held::Leased(ends) if *ends <= now);
            known.held = known.held.filter(lasts);
            known.leaving_until = known.leaving_until.filter(|until| *until > now);
            known.held.is_some() || known.leaving_until.is_some()
        });
    }
}
