//! Rate limiters that are exact, bounded in memory, and cheap.
//!
//! Knowledge runs one way: `quota`, `decision`, `clock` and `error` know nothing of the
//! algorithms, the algorithms nothing of the stores, the stores nothing of the gate, the gate nothing
//! of Python. `fork` knows nothing of anybody, and whoever has a lock tells it.

pub mod algorithm;
pub mod clock;
pub mod decision;
pub mod error;
mod fork;
mod fraction;
pub mod gate;
pub mod quota;
pub mod store;

#[cfg(feature = "python")]
mod python;
