//! The zone as a whole: its file, its table, and what deaths do to it.

mod against_memory;
mod crowd;
mod crowds;
mod dead_waiters;
mod elsewhere;
mod files;
mod kills;
mod limiters;
mod machines;
mod oracle;
mod schedules;
mod scratch;
mod table;
mod worker;

pub(crate) use scratch::Scratch;
