//! The zone as a whole: its file, its table, and what deaths do to it.

mod scratch;

pub(crate) use scratch::Scratch;
