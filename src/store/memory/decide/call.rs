//! What a store is asked, with the caller's place among those who wait.

use crate::quota::Quota;
use crate::store::memory::fingerprint::Fingerprint;
use crate::store::{Ask, Ticket};

/// One call.
#[derive(Clone, Copy)]
pub(in crate::store::memory) struct Call<'a> {
    pub(in crate::store::memory) key: Fingerprint,
    pub(in crate::store::memory) cost: u32,
    /// By which quota, if it is not the store's own. One who waits is decided by that of all who wait.
    pub(in crate::store::memory) quota: Option<&'a Quota>,
    /// Its number in the key's queue, if it waits there.
    pub(in crate::store::memory) number: Option<u64>,
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
