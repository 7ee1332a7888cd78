//! What a store is asked.

use super::fingerprint::Fingerprint;
use crate::store::Ticket;

/// One call.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) key: Fingerprint,
    pub(super) cost: u32,
    /// Its number in the key's queue, if it waits there.
    pub(super) number: Option<u64>,
}

impl Call {
    /// Of one who does not wait.
    #[inline]
    pub(super) fn new(key: Fingerprint, cost: u32) -> Self {
        Self {
            key,
            cost,
            number: None,
        }
    }
}

impl From<&Ticket> for Call {
    fn from(ticket: &Ticket) -> Self {
        Self {
            number: Some(ticket.number),
            ..Self::new(ticket.key, ticket.cost)
        }
    }
}
