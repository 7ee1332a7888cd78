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
