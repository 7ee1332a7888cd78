//! A quota as a value: how much, of what, in what time.

mod calendar;
mod parts;
#[cfg(test)]
mod tests;
mod text;
mod value;
mod words;

pub use calendar::{Calendar, Period};
pub use parts::{grouped, limit, window};
pub use value::{Quota, REQUESTS, Terms};
