//! The sliding counter: the number of the window 46 bits, the counts of the one before and of it 32
//! each.

use super::kind::Kind;
use super::{Word, another, field, near, seems_ahead};
use crate::algorithm::{Algorithm, AnyAlgorithm, SlidingCounter};
use crate::clock::Ticks;
use crate::error::Result;

const NUMBER: u32 = 46;
const COUNT: u32 = 32;

impl SlidingCounter {
    /// The number of the window that is packed here; `None`: it is long past.
    fn window_of(&self, payload: u128, now: Ticks) -> Option<u64> {
        let cut = field(payload, 2 * COUNT, NUMBER);
        near(cut, NUMBER, now / self.window, self.window)
    }
}

impl Word for SlidingCounter {
    fn kind(&self) -> Kind {
        Kind::SlidingCounter
    }

    fn of(quota: &AnyAlgorithm, _bits: Option<u8>) -> Result<Self> {
        match quota {
            AnyAlgorithm::SlidingCounter(this) => Ok(this.clone()),
            _ => Err(another(quota)),
        }
    }

    fn pack(&self, state: &Self::State) -> u128 {
        let (end, previous, current) = state.parts();
        if previous == 0 && current == 0 {
            return 0;
        }
        let number = u128::from(end / self.window - 1) & ((1 << NUMBER) - 1);
        number << (2 * COUNT) | u128::from(previous) << COUNT | u128::from(current)
    }

    fn unpack(&self, payload: u128, now: Ticks) -> Self::State {
        let (previous, current) = (field(payload, COUNT, COUNT), field(payload, 0, COUNT));
        match self.window_of(payload, now) {
            Some(number) if payload != 0 => {
                let end = (number + 1) * self.window;
                SlidingCounter::state_of(end, previous as u32, current as u32)
            }
            _ => self.fresh(),
        }
    }

    fn is_ahead(&self, payload: u128, now: Ticks) -> bool {
        let cut = field(payload, 2 * COUNT, NUMBER);
        payload != 0 && seems_ahead(cut, NUMBER, now / self.window)
    }
}
