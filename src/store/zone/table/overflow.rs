//! What all keys of a limit share that find no room.

use portable_atomic::{AtomicU128, Ordering::SeqCst};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::slot::State;
use super::tenancy::{Found, Seen, Tenancy, Updated};
use crate::clock::Ticks;

/// 32 bytes of the file, for one limit.
#[derive(Debug)]
#[repr(C, align(32))]
pub(in crate::store::zone) struct Overflow {
    updates: AtomicU64,
    _reserved: AtomicU64,
    state: AtomicU128,
}

impl Overflow {
    #[inline]
    pub(in crate::store::zone) fn look(&self) -> Found {
        let state = self.state();
        Found {
            payload: state.payload(),
            tenancy: Tenancy::overflow(state.generation()),
        }
    }

    /// Change what is held.
    pub(in crate::store::zone) fn update_any<R>(
        &self,
        now: Ticks,
        change: &mut impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Updated<R> {
        let mut state = self.state();
        loop {
            match self.change(state, now, change) {
                Ok(updated) => return updated,
                Err(other) => state = other,
            }
        }
    }

    /// The same, unless it was cleared since `tenancy`.
    pub(in crate::store::zone) fn update<R>(
        &self,
        tenancy: Tenancy,
        now: Ticks,
        change: &mut impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Option<Updated<R>> {
        let mut state = self.state();
        while Tenancy::overflow(state.generation()) == tenancy {
            match self.change(state, now, change) {
                Ok(updated) => return Some(updated),
                Err(other) => state = other,
            }
        }
        None
    }

    fn state(&self) -> State {
        State(self.state.load(SeqCst))
    }

    fn change<R>(
        &self,
        state: State,
        now: Ticks,
        change: &mut impl FnMut(&Seen) -> (Option<u128>, R),
    ) -> Result<Updated<R>, State> {
        let tenancy = Tenancy::overflow(state.generation());
        let found = Found {
            payload: state.payload(),
            tenancy,
        };
        let (new, result) = change(&Seen { now, found });
        if let Some(payload) = new {
            let new = state.with(payload).0;
            let swapped = self.state.compare_exchange(state.0, new, SeqCst, SeqCst);
            swapped.map_err(State)?;
        }
        Ok(Updated { result, tenancy })
    }

    /// Count an update that found no room elsewhere.
    pub(in crate::store::zone) fn count(&self) {
        self.updates.fetch_add(1, Relaxed);
    }

    pub(in crate::store::zone) fn updates(&self) -> u64 {
        self.updates.load(Relaxed)
    }

    pub(in crate::store::zone) fn clear(&self) {
        let free = |state| Some(State(state).freed().0);
        let _ = self.state.fetch_update(SeqCst, SeqCst, free);
    }
}
