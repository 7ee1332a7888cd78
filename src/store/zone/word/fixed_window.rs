//! The fixed window: the end of the running window 54 bits, its count 32, a mark of its begin 24.

use super::kind::Kind;
use super::{Word, field};
use crate::algorithm::{Algorithm, AnyAlgorithm, FixedWindow};
use crate::clock::Ticks;
use crate::error::{Error, Result};
use crate::quota::grouped;

const END: u32 = 54;
const USED: u32 = 32;
const SINCE: u32 = 24;

impl Word for FixedWindow {
    fn kind(&self) -> Kind {
        Kind::FixedWindow
    }

    fn of(quota: &AnyAlgorithm, _bits: Option<u8>) -> Result<Self> {
        match quota {
            AnyAlgorithm::FixedWindow(this) if this.calendar().is_none() => Ok(this.clone()),
            _ => Err(no_calendar(quota.limit())),
        }
    }

    fn mark_in_word(&self, state: &Self::State, now: Ticks, _cost: u32) -> u128 {
        self.mark(state, now) & ((1 << SINCE) - 1)
    }

    fn pack(&self, state: &Self::State) -> u128 {
        let (end, used, since) = state.parts();
        if used == 0 {
            return 0;
        }
        let since = u128::from(since) & ((1 << SINCE) - 1);
        u128::from(end) << (USED + SINCE) | u128::from(used) << SINCE | since
    }

    /// What was spent in a window that ends where none does, since the wall clock has stepped, counts in
    /// the one that is running by the new time.
    fn unpack(&self, payload: u128, now: Ticks) -> Self::State {
        let (end, used) = (
            field(payload, USED + SINCE, END),
            field(payload, SINCE, USED),
        );
        let since = field(payload, 0, SINCE) as u32;
        let mut state = FixedWindow::state_of(end, used as u32, since);
        if now < end && !self.ends_at(end) {
            self.adopt(self, &mut state, now);
        }
        state
    }

    fn is_ahead(&self, payload: u128, now: Ticks) -> bool {
        let end = field(payload, USED + SINCE, END);
        end > now && (end - now > self.window || !self.ends_at(end))
    }
}

fn no_calendar(limit: u32) -> Error {
    let range = format!(
        "of a window of one length in a zone, such as '{}/day', or in Redis or in memory, which have calendars",
        grouped(limit)
    );
    Error::out_of_range("quota", &"a calendar's period", range)
}
