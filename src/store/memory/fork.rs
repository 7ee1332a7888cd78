//! The in-memory store across a fork.

use std::mem::{take, transmute};
use std::sync::{Arc, MutexGuard};

use hashbrown::HashTable;

use super::shards::AllLocked;
use super::{Algorithm, MemoryStore, WakeUp, locked_now};
use crate::fork::{Forks, Held};

type Guard<T> = MutexGuard<'static, T>;

/// Every lock of a store. Fields are dropped in this order, the store last.
struct HeldStore<A: Algorithm> {
    all: AllLocked<'static, A>,
    _overflow: Guard<A::State>,
    store: Arc<MemoryStore<A>>,
}

impl<A: Algorithm> Forks for MemoryStore<A> {
    fn hold(self: Arc<Self>) -> Box<dyn Held> {
        let (all, overflow) = (self.shards.lock_all(), locked_now(&self.overflow_state));
        // SAFETY: the guards borrow from the store, which does not move and is kept alive
        // beside them until they are gone.
        let (all, overflow) = unsafe {
            (
                transmute::<AllLocked<'_, A>, AllLocked<'static, A>>(all),
                transmute::<MutexGuard<'_, A::State>, Guard<A::State>>(overflow),
            )
        };
        Box::new(HeldStore {
            all,
            _overflow: overflow,
            store: self,
        })
    }

    fn wake_all(&self) {
        let mut everybody: Vec<WakeUp> = Vec::new();
        for lock in self.shards.made() {
            let shard = locked_now(&lock.shard);
            everybody.extend(shard.everybody());
        }
        self.wake(everybody);
    }
}

impl<A: Algorithm> Held for HeldStore<A> {
    fn release(self: Box<Self>) {}

    fn release_in_child(mut self: Box<Self>) {
        let mut gone = Vec::new();
        for (_, shard) in &mut self.all.shards {
            let table = if A::IS_HELD {
                shard.take_table()
            } else {
                HashTable::new()
            };
            self.store.release_keys(table.len());
            let queues = (take(&mut shard.queues), take(&mut shard.joint_queues));
            gone.push((queues, table));
        }
        drop(self);
        // Without a lock, and without the interpreter: no wake-up is a Python object.
        drop(gone);
    }
}
