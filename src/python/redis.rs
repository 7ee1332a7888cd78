//! The bindings of the limiters in Redis: a limiter, an event loop's bridge, what blocks a thread,
//! and rare calls.

mod blocking;
mod bridge;
mod clearing;
mod gate;
pub(super) mod inside;
mod lazy_route;
mod limiter;
mod on_error;
mod quotas;
mod renewing;
mod runtime;
mod scripts;
mod seat;
mod settings;
mod values;
mod way_back;

pub(super) use bridge::PyBridge;
pub(super) use gate::{PyRedisGate, PyRedisGateCall};
pub(super) use limiter::PyRedisLimiter;
pub(super) use scripts::{PyRedisScript, PyRedisScripts};
