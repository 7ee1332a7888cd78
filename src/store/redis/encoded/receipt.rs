//! What an admission's reply tells of a receipt, and what is sent to redeem one.

use redis::Cmd;

use super::EncodedQuota;
use crate::algorithm::{AnyAlgorithm, TokenBucket};
use crate::clock::Ticks;
use crate::decision::{Decision, Receipt};
use crate::store::redis::script::{self, Script};

impl EncodedQuota {
    /// What quotas have in common by which the same state is kept: receipts of one are redeemed by the
    /// other, and count for nothing by any other.
    #[must_use]
    pub(in crate::store::redis) fn kind(&self) -> u32 {
        self.kind
    }

    /// The script that redeems receipts; permits have none.
    fn receipt_script(&self) -> Option<&'static Script> {
        Some(match &self.rule {
            AnyAlgorithm::FixedWindow(_) if self.bounds.is_some() => {
                &script::CALENDAR_WINDOW_RECEIPT
            }
            AnyAlgorithm::FixedWindow(_) => &script::FIXED_WINDOW_RECEIPT,
            AnyAlgorithm::SegmentedWindow(_) => &script::SEGMENTED_WINDOW_RECEIPT,
            AnyAlgorithm::SlidingCounter(_) => &script::SLIDING_COUNTER_RECEIPT,
            AnyAlgorithm::SlidingLog(_) => &script::SLIDING_LOG_RECEIPT,
            AnyAlgorithm::TokenBucket(_) => &script::TOKEN_BUCKET_RECEIPT,
            AnyAlgorithm::Permits(_) => return None,
        })
    }

    /// The text of the script that redeems receipts.
    #[must_use]
    pub fn receipt_text(&self) -> Option<&str> {
        self.receipt_script().map(Script::text)
    }

    /// What is sent to redeem a receipt; `told` and `by_text` as of [`EncodedQuota::command`].
    pub(in crate::store::redis) fn redemption(
        &self,
        key: &[u8],
        receipt: &Receipt,
        units: u32,
        told: Option<Ticks>,
        by_text: bool,
    ) -> Option<Cmd> {
        let mut command = self.receipt_script()?.command(by_text);
        let [missing, returned] = receipt.mark;
        command
            .arg(1)
            .arg(key)
            .arg("r")
            .arg(units)
            .arg(receipt.at)
            .arg(missing)
            .arg(returned)
            .arg(&self.arguments);
        self.add_bounds(&mut command, told);
        Some(command)
    }

    /// What an admission spent at that tick of the server's. Whose receipt it is, the limiter adds.
    pub(super) fn spent(&self, cost: u32, at: Ticks, mark: [u64; 2]) -> Receipt {
        Receipt {
            cost,
            at,
            mark,
            epoch: self.kind(),
            ..Receipt::NONE
        }
    }

    /// A bucket that was spent from tells what it keeps, as doubles: the grains that are missing, the
    /// server's tick, its rate; and, if something has come back before, how much.
    pub(super) fn of_spent_bucket(
        &self,
        bucket: &TokenBucket,
        cost: u32,
        reply: &[u8],
        at: Ticks,
    ) -> Option<Decision> {
        let (words, []) = reply.as_chunks() else {
            return None;
        };
        let words: Vec<u64> = words.iter().copied().map(whole).collect::<Option<_>>()?;
        let (&[missing, now, _, _], more) = words.split_first_chunk()?; // its rate is ours
        let returned = more.first().copied().unwrap_or(0);
        let room = bucket.grains_of().0.checked_sub(missing)?;
        Some(Decision {
            receipt: self.spent(cost, now, [missing, returned]),
            ..self.of_bucket(bucket, cost, room.try_into().ok()?, at)
        })
    }
}

/// A whole number, from a double.
pub(super) fn whole(bytes: [u8; 8]) -> Option<u64> {
    let number = f64::from_le_bytes(bytes);
    let is_whole = (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0;
    #[expect(clippy::cast_sign_loss, reason = "it is not below 0")]
    let whole = number as u64;
    is_whole.then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(capacity: u32, rate: f64) -> EncodedQuota {
        let bucket = TokenBucket::new(capacity, rate, capacity, 0).expect("a bucket");
        EncodedQuota::new(AnyAlgorithm::TokenBucket(bucket))
    }

    fn windows(name: &str, limit: u32, window: Ticks) -> EncodedQuota {
        EncodedQuota::new(AnyAlgorithm::named(name, limit, window).expect("known"))
    }

    #[test]
    fn a_bucket_is_counted_from_what_it_keeps() {
        let quota = bucket(10, 7.0); // a token is 1,000,000 grains, a tick gives 7
        let AnyAlgorithm::TokenBucket(rule) = &quota.rule else {
            panic!("another algorithm");
        };
        let of = |words: &[f64], cost| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            quota.of_spent_bucket(rule, cost, &bytes, 9)
        };
        let full = of(&[4e6, 5_000_003.0, 1e6, 7.0], 4).expect("understood");
        assert_eq!((full.remaining, full.at), (6, 9));
        assert_eq!((full.receipt.at, full.receipt.cost), (5_000_003, 4));
        assert_eq!(full.receipt.mark, [4_000_000, 0]);
        assert_eq!(full.reset_after, 571_429);
        let partly = of(&[67.0, 5e6, 1e6, 7.0, 77.0], 1).expect("understood");
        assert_eq!(partly.receipt.mark, [67, 77]);
        assert_eq!(of(&[4e6, 5e6, 1e6], 4), None);
        assert_eq!(of(&[4.5, 5e6, 1e6, 7.0], 4), None);
        assert_eq!(of(&[-4.0, 5e6, 1e6, 7.0], 4), None);
        assert_eq!(of(&[1e8, 5e6, 1e6, 7.0], 4), None, "more than it holds");
        assert_eq!(quota.of_spent_bucket(rule, 4, b"5 3 0", 9), None);
    }

    #[test]
    fn receipts_are_void_when_the_state_does_not_tell_any_more() {
        let second = 1_000_000;
        let pairs = [
            (bucket(10, 7.0), bucket(12, 7.0), true),
            (bucket(10, 7.0), bucket(9, 7.0), true),
            (bucket(10, 7.0), bucket(10, 8.0), false),
            (
                windows("fixed_window", 1, second),
                windows("fixed_window", 9, second),
                true,
            ),
            (
                windows("fixed_window", 1, second),
                windows("fixed_window", 1, 2),
                false,
            ),
            (
                windows("sliding_log", 1, second),
                windows("sliding_log", 1, 2),
                true,
            ),
        ];
        for (old, new, counts) in pairs {
            assert_eq!(new.kind() == old.kind(), counts, "{:?}", old.rule);
        }
    }

    #[test]
    fn a_receipts_words_come_before_the_quota_and_a_calendars_bounds_last() {
        let quota = windows("segmented_window", 5, 60);
        let receipt = quota.spent(3, 17, [4, 0]);
        let command = quota.redemption(b"key", &receipt, 2, None, false);
        let sent = command.expect("a script").get_packed_command();
        let sent = String::from_utf8(sent).expect("text");
        let words: Vec<_> = sent.split("\r\n").skip(2).step_by(2).collect();
        assert_eq!(
            words[2..],
            ["1", "key", "r", "2", "17", "4", "0", "5", "60"]
        );
        let permits = windows("permits", 5, 60);
        assert!(
            permits
                .redemption(b"key", &receipt, 2, None, false)
                .is_none()
        );
    }
}
