//! The zone as a whole: its file, its table, and what deaths do to it.

mod against_memory;
mod crowds;
mod limiters;
mod scratch;

pub(crate) use scratch::Scratch;
