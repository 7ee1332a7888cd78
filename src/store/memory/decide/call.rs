//! What a store is asked, with the caller's place among those who wait.

use super::fingerprint::Fingerprint;
use crate::quota::Quota;
use crate::store::{Ask, Ticket};

/// One call.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) key: Fingerprint,
    pub(super) cost: u32,
    /// By which quota, if it is not the store's own. One who waits is decided by that of all who wait.
    pub(super) quota: Option<&'a Quota>,
    /// Its number in the key's queue, if it waits there.
    pub(super) number: Option<u64>,
}

impl<'a> From<Ask<'a>> for Call<'a> {
    /// Of one who does not wait.
    #[inline]
    fn from(ask: Ask<'a>) -> Self {
        Self {
            key: ask.key,
            cost: ask.cost,
            quota: ask.quota,
            number: None,
        }
    }
}

impl From<&Ticket> for Call<'_> {
    fn from(ticket: &Ticket) -> Self {
        Self {
            number: Some(ticket.number),
            ..Ask::new(ticket.key, ticket.cost).into()
        }
    }
}
