//! Who waits in this process for a key of a zone, in the order of arrival; and the quotas that a
//! limiter has had, which its checks read without a lock.

use std::collections::{BTreeMap, VecDeque};
use std::mem::take;
use std::sync::Arc;

use crate::clock::Ticks;
use crate::store::zone::word::Word;
use crate::store::{Fingerprint, Wake};

/// What is behind a limiter's lock.
pub(in crate::store::zone) struct Behind<W: Word> {
    /// Never dropped while the limiter lives: somebody may be reading one. Few, since equal ones are
    /// kept once.
    quotas: Vec<Box<W>>,
    queues: BTreeMap<Fingerprint, VecDeque<Waiter<W>>>,
}

/// One who waits.
pub(in crate::store::zone) struct Waiter<W> {
    pub(in crate::store::zone) number: u64,
    pub(in crate::store::zone) cost: u32,
    /// Refused then.
    pub(in crate::store::zone) deadline: Ticks,
    /// By which it is decided, if not by the limiter's own.
    pub(in crate::store::zone) quota: Option<W>,
    pub(in crate::store::zone) wake: Arc<dyn Wake>,
}

impl<W: Word> Behind<W> {
    pub(in crate::store::zone) fn new(quota: Box<W>) -> Self {
        Self {
            quotas: vec![quota],
            queues: BTreeMap::new(),
        }
    }

    /// Where this quota is kept from now on.
    pub(in crate::store::zone) fn keep(&mut self, quota: W) -> *mut W {
        let known = self.quotas.iter().position(|kept| kept.is_same(&quota));
        let place = known.unwrap_or_else(|| {
            self.quotas.push(Box::new(quota));
            self.quotas.len() - 1
        });
        &raw mut *self.quotas[place]
    }

    /// Those who wait for a key, the first one first.
    pub(in crate::store::zone) fn queue(
        &self,
        key: Fingerprint,
    ) -> impl Iterator<Item = &Waiter<W>> {
        self.queues.get(&key).into_iter().flatten()
    }

    pub(in crate::store::zone) fn push(&mut self, key: Fingerprint, waiter: Waiter<W>) {
        self.queues.entry(key).or_default().push_back(waiter);
    }

    /// The place of a waiter.
    pub(in crate::store::zone) fn position(&self, key: Fingerprint, number: u64) -> Option<usize> {
        self.queue(key).position(|waiter| waiter.number == number)
    }

    /// It waits no longer. Whether it was the first.
    pub(in crate::store::zone) fn remove(&mut self, key: Fingerprint, number: u64) -> Option<bool> {
        let position = self.position(key, number)?;
        let queue = self.queues.get_mut(&key)?;
        queue.remove(position);
        if queue.is_empty() {
            self.queues.remove(&key);
        }
        Some(position == 0)
    }

    /// How to wake the first.
    pub(in crate::store::zone) fn first(&self, key: Fingerprint) -> Option<(u64, Arc<dyn Wake>)> {
        let first = self.queue(key).next()?;
        Some((first.number, Arc::clone(&first.wake)))
    }

    /// How to wake all who wait for a key.
    pub(in crate::store::zone) fn all_of(&self, key: Fingerprint) -> Vec<(u64, Arc<dyn Wake>)> {
        let queue = self.queue(key);
        queue
            .map(|waiter| (waiter.number, Arc::clone(&waiter.wake)))
            .collect()
    }

    pub(in crate::store::zone) fn keys(&self) -> Vec<Fingerprint> {
        self.queues.keys().copied().collect()
    }

    pub(in crate::store::zone) fn everybody(&self) -> Vec<Arc<dyn Wake>> {
        let all = self.queues.values().flatten();
        all.map(|waiter| Arc::clone(&waiter.wake)).collect()
    }

    pub(in crate::store::zone) fn leave_all(&mut self) {
        take(&mut self.queues);
    }
}
