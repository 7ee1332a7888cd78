//! A quota for one call: another amount than the limiter's own.

use std::sync::Arc;

use super::EncodedQuota;
use crate::algorithm::AnyAlgorithm;
use crate::error::Result;
use crate::quota::Quota;

impl EncodedQuota {
    /// The same quota, of what it counts.
    #[must_use]
    pub fn counting(self, unit: Arc<str>) -> Self {
        Self { unit, ..self }
    }

    /// Another amount, in the same windows, of the same unit.
    ///
    /// # Errors
    /// When more than the amount differs.
    pub(in crate::store::redis) fn under(&self, quota: &Quota) -> Result<Self> {
        quota.counts(&self.unit)?;
        Ok(Self {
            bounds: self.bounds.clone(), // what one has heard of the server's clock, all know
            given: Some(quota.clone()),
            ..Self::new(self.rule.under(quota)?).counting(self.unit.clone())
        })
    }

    /// The quota that the caller gave, where it is not the limiter's own.
    #[must_use]
    pub fn given(&self) -> Option<&Quota> {
        self.given.as_ref()
    }

    /// The same, as the share of one of so many processes.
    pub(in crate::store::redis) fn share_of_given(&self, workers: u32) -> Option<Quota> {
        let as_bucket = matches!(self.rule, AnyAlgorithm::TokenBucket(_));
        self.given
            .as_ref()
            .map(|given| given.share(workers, as_bucket))
    }

    /// The limit of one of so many processes.
    pub(in crate::store::redis) fn share(&self, workers: u32) -> u32 {
        self.rule.share(workers).limit()
    }

    /// By which it is known in this process: no two have the same.
    pub(in crate::store::redis) fn number(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(text: &str) -> Quota {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn another_amount_counts_the_same_and_is_another_quota() {
        let days = quota("5 mails/day in UTC");
        let own = EncodedQuota::new(days.windowed("fixed_window").expect("fits"))
            .counting("mails".into());
        let other = own.under(&quota("9 mails/day in UTC")).expect("fits");
        assert_eq!((own.limit(), other.limit()), (5, 9));
        assert_eq!((own.window(), own.given()), (other.window(), None));
        assert_eq!(other.given(), Some(&quota("9 mails/day in UTC")));
        assert_ne!(own.number(), other.number());
        for text in ["9/day in UTC", "9 calls/day in UTC"] {
            let refusal = own.under(&quota(text)).err().expect("another unit");
            assert!(refusal.to_string().ends_with("give '9 mails/day in UTC'"));
        }
        assert!(own.under(&quota("9 mails/day")).is_err());
    }

    #[test]
    fn what_the_server_tells_of_its_clock_is_known_to_all_amounts() {
        let rule = quota("5/day in UTC")
            .windowed("fixed_window")
            .expect("fits");
        let own = EncodedQuota::new(rule);
        let other = own.under(&quota("9/day in UTC")).expect("fits");
        let far = crate::clock::unix_now() + 400 * 86_400 * crate::clock::SECOND;
        other.outside(&redis::Value::Array(vec![redis::Value::Int(
            far.cast_signed(),
        )]));
        let bounds = |quota: &EncodedQuota| quota.bounds.as_ref().expect("a calendar").now();
        assert_eq!(bounds(&own), bounds(&other));
        assert!(bounds(&own)[1] <= far && far < bounds(&own)[2]);
        let bucket = AnyAlgorithm::TokenBucket(quota("5/second").bucket().expect("fits"));
        let slower = EncodedQuota::new(bucket).under(&quota("5/minute burst 7"));
        assert_eq!(slower.map(|quota| quota.limit()), Ok(7));
    }
}
