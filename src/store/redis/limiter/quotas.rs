//! The quotas of a limiter: its own, and those that calls give in its place.

use std::collections::HashMap;
use std::sync::Arc;

use super::EncodedQuota;
use crate::error::Result;
use crate::quota::Quota;

/// So many that calls gave are kept ready, some 400 bytes each.
const MOST: usize = 256;

pub(super) struct Quotas {
    own: Arc<EncodedQuota>,
    given: HashMap<Quota, Arc<EncodedQuota>>,
    were_given: bool,
}

impl Quotas {
    /// The limiter's own.
    pub(super) fn new(own: EncodedQuota) -> Self {
        Self {
            own: Arc::new(own),
            given: HashMap::new(),
            were_given: false,
        }
    }

    pub(super) fn own(&self) -> &Arc<EncodedQuota> {
        &self.own
    }

    /// Whether any call ever gave one.
    pub(super) fn were_given(&self) -> bool {
        self.were_given
    }

    /// In the place of those before.
    pub(super) fn replace(&mut self, own: EncodedQuota) {
        let were_given = self.were_given;
        *self = Self {
            were_given,
            ..Self::new(own)
        };
    }

    /// One that keeps the same states as that by which a receipt was spent.
    pub(super) fn of_kind(&self, kind: u32) -> Option<Arc<EncodedQuota>> {
        let mut all = std::iter::once(&self.own).chain(self.given.values());
        all.find(|quota| quota.kind() == kind).cloned()
    }

    /// The one that a call gave.
    pub(super) fn given(&mut self, quota: &Quota) -> Result<Arc<EncodedQuota>> {
        if let Some(known) = self.given.get(quota) {
            return Ok(Arc::clone(known));
        }
        let given = Arc::new(self.own.under(quota)?);
        if self.given.len() >= MOST {
            self.given.clear(); // plans are few; whoever has more pays for it
        }
        self.given.insert(quota.clone(), Arc::clone(&given));
        self.were_given = true;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_kept_until_there_are_too_many() {
        let quota = |text: String| -> Quota { text.parse().expect("a quota") };
        let own = quota("5/minute".into()).windowed("fixed_window");
        let mut quotas = Quotas::new(EncodedQuota::new(own.expect("fits")));
        let mut given = |amount: usize| {
            let given = quotas.given(&quota(format!("{amount}/minute")));
            given.expect("the same window").number()
        };
        let first = given(1);
        assert_eq!(given(1), first);
        for amount in 2..=MOST {
            given(amount);
        }
        assert_eq!(given(1), first);
        given(MOST + 1);
        assert_ne!(given(1), first);
        assert_eq!(quotas.given.len(), 2);
        assert!(quotas.given(&quota("1/second".into())).is_err());
        assert_eq!(quotas.own().limit(), 5);
    }
}
