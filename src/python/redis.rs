//! The bindings of the limiters in Redis: a limiter, an event loop's bridge, and rare calls.

mod bridge;
pub(super) mod gate;
mod lazy_route;
mod limiter;
mod runtime;
mod scripts;
mod settings;
mod values;

pub(super) use bridge::PyBridge;
pub(super) use limiter::PyRedisLimiter;
pub(super) use scripts::{PyRedisScript, PyRedisScripts};
