//! What an admission's reply tells of a receipt, and what is sent to redeem one.

use redis::Cmd;

use super::EncodedQuota;
use crate::algorithm::{AnyAlgorithm, TokenBucket};
use crate::clock::{SECOND, Ticks};
use crate::decision::{Decision, Receipt};
use crate::store::redis::script::{self, Script};

impl EncodedQuota {
    /// This quota in the place of `old`. Receipts of the old one are void if it is of another window, or
    /// another rate, or has a smaller bucket: the state does not tell any more what they count for.
    #[must_use]
    pub(in crate::store::redis) fn succeeding(self, old: &Self) -> Self {
        let keeps = match (&self.rule, &old.rule) {
            (AnyAlgorithm::TokenBucket(new), AnyAlgorithm::TokenBucket(old)) => {
                let (new, old) = (new.grains_of(), old.grains_of());
                (new.1, new.2) == (old.1, old.2) && new.0 >= old.0
            }
            (AnyAlgorithm::SlidingLog(_), AnyAlgorithm::SlidingLog(_)) => true,
            _ => self.window == old.window && self.rule.calendar() == old.rule.calendar(),
        };
        let epoch = old.epoch.wrapping_add(u32::from(!keeps));
        Self { epoch, ..self }
    }

    /// How often a change of the quota had made receipts void.
    pub(in crate::store::redis) fn epoch(&self) -> u32 {
        self.epoch
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
            epoch: self.epoch,
            ..Receipt::NONE
        }
    }

    /// A bucket that was spent from tells the server's time, in two words, and the state before: the tick
    /// at which it was full, perhaps how many grains before that, two words that say nothing here, and what
    /// had come back so far.
    pub(super) fn of_spent_bucket(
        &self,
        bucket: &TokenBucket,
        cost: u32,
        reply: &[u8],
        at: Ticks,
    ) -> Option<Decision> {
        let text = str::from_utf8(reply).ok()?;
        let words = text.split(' ').map(|word| word.parse::<u64>().ok());
        let words: Vec<u64> = words.collect::<Option<_>>()?;
        let (&[seconds, micros, tick], more) = words.split_first_chunk()?;
        let word = |index: usize| more.get(index).copied().unwrap_or(0);
        let (early, returned) = (word(0), word(3));
        let (capacity, token, income) = bucket.grains_of();
        let now = seconds.checked_mul(SECOND)?.checked_add(micros)?;
        let grains = |tick: Ticks| u128::from(tick) * u128::from(income);
        let full_at = grains(tick).saturating_sub(early.min(income - 1).into());
        let owed = full_at.saturating_sub(grains(now));
        let missing = owed + u128::from(cost) * u128::from(token);
        let missing = u64::try_from(missing).ok().filter(|&all| all <= capacity)?;
        Some(Decision {
            receipt: self.spent(cost, now, [missing, returned]),
            ..self.of_bucket(bucket, cost, (capacity - missing).try_into().ok()?, at)
        })
    }
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
    fn a_bucket_is_counted_from_the_state_before() {
        let quota = bucket(10, 7.0); // a token is 1,000,000 grains, a tick gives 7
        let AnyAlgorithm::TokenBucket(rule) = &quota.rule else {
            panic!("another algorithm");
        };
        let of = |reply: &str, cost| quota.of_spent_bucket(rule, cost, reply.as_bytes(), 9);
        let full = of("5 3 0", 4).expect("understood");
        assert_eq!((full.remaining, full.at), (6, 9));
        assert_eq!(full.receipt.at, 5_000_003);
        assert_eq!((full.receipt.cost, full.receipt.mark), (4, [4_000_000, 0]));
        let partly = of("5 0 5000010 3 0 0 77", 1).expect("understood");
        assert_eq!(partly.receipt.mark, [67 + 1_000_000, 77]);
        for wrong in ["", "5 3", "5 3 x", "5 3 0 ", "-5 3 0", "5 3 9000000"] {
            assert_eq!(of(wrong, 4), None, "{wrong}");
        }
    }

    #[test]
    fn receipts_are_void_when_the_state_does_not_tell_any_more() {
        let second = 1_000_000;
        let pairs = [
            (bucket(10, 7.0), bucket(12, 7.0), 0),
            (bucket(10, 7.0), bucket(9, 7.0), 1),
            (bucket(10, 7.0), bucket(10, 8.0), 1),
            (
                windows("fixed_window", 1, second),
                windows("fixed_window", 9, second),
                0,
            ),
            (
                windows("fixed_window", 1, second),
                windows("fixed_window", 1, 2),
                1,
            ),
            (
                windows("sliding_log", 1, second),
                windows("sliding_log", 1, 2),
                0,
            ),
        ];
        for (old, new, epoch) in pairs {
            assert_eq!(new.succeeding(&old).epoch(), epoch, "{:?}", old.rule);
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
