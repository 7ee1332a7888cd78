//! A quota as a script's arguments, and a script's reply as a decision.

mod by_call;
mod joint;
mod kind;
mod receipt;
mod room;

pub use joint::{Told, Words};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use redis::{Cmd, Value};

use super::answer::Failure;
use super::bounds::Bounds;
use super::script::{self, Script};
use crate::algorithm::{AnyAlgorithm, Permits};
use crate::clock::Ticks;
use crate::decision::{Decision, Receipt, Source};
use crate::error;
use crate::quota::{Quota, REQUESTS};

/// What a call wants of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Decide, and spend if it is admitted.
    Check,
    /// Decide, and spend nothing.
    Peek,
    /// As `Peek`, but `reset_after` tells when the oldest unit leaves the log.
    FirstFree,
    /// Give units back.
    Refund,
    /// Forget the key.
    Reset,
    /// As `Peek`, of permits; nobody answers in the server's place.
    InUse,
    /// Begin the leases of permits anew.
    Renew,
    /// Spend, whether it fits or not, up to a debt of one whole quota. Only of several limits.
    Anyway,
}

/// How many there have been.
static QUOTAS: AtomicU64 = AtomicU64::new(0);

/// A quota, ready to be sent.
pub struct EncodedQuota {
    rule: AnyAlgorithm,
    /// As the script of several limits is told it.
    numbers: Vec<u64>,
    arguments: Vec<String>,
    /// Of a calendar's windows: the arguments that change with time.
    bounds: Option<Arc<Bounds>>,
    limit: u32,
    window: Ticks,
    /// What a cost counts.
    unit: Arc<str>,
    /// As the caller gave it for a call.
    given: Option<Quota>,
    number: u64,
    /// See [`EncodedQuota::kind`].
    kind: u32,
}

impl EncodedQuota {
    /// `rule` as a script's arguments.
    #[must_use]
    pub fn new(rule: AnyAlgorithm) -> Self {
        let (limit, window) = (rule.limit(), rule.window());
        let numbers = match &rule {
            AnyAlgorithm::TokenBucket(rule) => <[u64; 3]>::from(rule.grains_of()).to_vec(),
            _ => vec![limit.into(), window],
        };
        Self {
            bounds: rule.calendar().cloned().map(Bounds::new).map(Arc::new),
            kind: kind::kind_of(&rule),
            rule,
            arguments: numbers.iter().map(u64::to_string).collect(),
            numbers,
            limit,
            window,
            unit: REQUESTS.into(),
            given: None,
            number: QUOTAS.fetch_add(1, Relaxed),
        }
    }

    /// The largest cost that can ever be admitted.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Whether it is of permits.
    pub(super) fn are_permits(&self) -> bool {
        matches!(self.rule, AnyAlgorithm::Permits(_))
    }

    /// Whether a call may ever be admitted.
    ///
    /// # Errors
    /// When `cost` exceeds the limit.
    pub fn fits(&self, cost: u32) -> error::Result<()> {
        error::fits(cost, self.limit)
    }

    /// For permits, a quota of which there is always some left: the rest is in use.
    #[must_use]
    pub fn endless(&self) -> Self {
        Self::new(AnyAlgorithm::Permits(Permits {
            limit: u32::MAX,
            lease: self.window,
        }))
    }

    /// The window, the time from an empty bucket to a full one, or a lease.
    #[must_use]
    pub fn window(&self) -> Ticks {
        self.window
    }

    /// How long a unit counts that is spent now, at most.
    pub(super) fn counts_for(&self) -> Ticks {
        match &self.rule {
            AnyAlgorithm::SegmentedWindow(rule) => rule.counts_for(),
            AnyAlgorithm::FixedWindow(_) if let Some(bounds) = &self.bounds => bounds.left(),
            AnyAlgorithm::SlidingCounter(_) => 2 * self.window,
            _ => self.window,
        }
    }

    /// The script that decides.
    #[must_use]
    pub fn script_text(&self) -> &str {
        self.script().text()
    }

    fn script(&self) -> &'static Script {
        match &self.rule {
            AnyAlgorithm::FixedWindow(_) if self.bounds.is_some() => &script::CALENDAR_WINDOW,
            AnyAlgorithm::FixedWindow(_) => &script::FIXED_WINDOW,
            AnyAlgorithm::SegmentedWindow(_) => &script::SEGMENTED_WINDOW,
            AnyAlgorithm::SlidingCounter(_) => &script::SLIDING_COUNTER,
            AnyAlgorithm::SlidingLog(_) => &script::SLIDING_LOG,
            AnyAlgorithm::TokenBucket(_) => &script::TOKEN_BUCKET,
            AnyAlgorithm::Permits(_) => &script::PERMITS,
        }
    }

    /// The script that renews permits.
    #[must_use]
    pub fn renewal_text() -> &'static str {
        script::PERMITS_RENEW.text()
    }

    /// What is sent for one call: by the script's digest, or by its text. `ids` are those of
    /// permits; `told` is the server's time, if it has told it to this call.
    pub(super) fn command(
        &self,
        verb: Verb,
        key: &[u8],
        cost: u32,
        ids: &[String],
        told: Option<Ticks>,
        by_text: bool,
    ) -> Cmd {
        if verb == Verb::Reset {
            let mut command = redis::cmd("UNLINK");
            command.arg(key);
            return command;
        }
        if verb == Verb::Renew {
            let mut command = script::PERMITS_RENEW.command(by_text);
            command.arg(1).arg(key).arg(self.window).arg(ids);
            return command;
        }
        let mut command = self.script().command(by_text);
        let verb = match verb {
            Verb::Check => "c",
            Verb::Refund => "r",
            _ => "p",
        };
        command
            .arg(1)
            .arg(key)
            .arg(verb)
            .arg(cost)
            .arg(&self.arguments)
            .arg(ids);
        self.add_bounds(&mut command, told);
        command
    }

    fn add_bounds(&self, command: &mut Cmd, told: Option<Ticks>) {
        if let Some(bounds) = self.bounds_at(told) {
            command.arg(&bounds[..]);
        }
    }

    fn bounds_at(&self, told: Option<Ticks>) -> Option<[Ticks; 4]> {
        let bounds = self.bounds.as_ref()?;
        Some(told.map_or_else(|| bounds.now(), |time| bounds.around(time)))
    }

    /// The server's time, if a reply says that it is outside of the bounds that were sent.
    pub(super) fn outside(&self, reply: &Value) -> Option<Ticks> {
        let bounds = self.bounds.as_ref()?;
        let Value::Array(items) = reply else {
            return None;
        };
        let [Value::Int(time)] = items[..] else {
            return None;
        };
        let time = Ticks::try_from(time).ok()?;
        bounds.hear(time);
        Some(time)
    }

    /// The decision that a reply stands for. `at` is the caller's own time.
    pub(super) fn decision(
        &self,
        verb: Verb,
        cost: u32,
        reply: &Value,
        at: Ticks,
    ) -> Result<Decision, Failure> {
        if self.outside(reply).is_some() {
            return Err(Failure::Refused("its clock leaps between two calls".into()));
        }
        let decision = match (&self.rule, reply) {
            (_, Value::Int(_)) if matches!(verb, Verb::Refund | Verb::Reset) => {
                Some(self.unspent(at))
            }
            (_, Value::Array(_)) if matches!(verb, Verb::Refund | Verb::Renew) => {
                Some(self.unspent(at))
            }
            (AnyAlgorithm::TokenBucket(bucket), Value::Int(room)) => {
                Some(self.of_bucket(bucket, cost, *room, at))
            }
            (AnyAlgorithm::TokenBucket(bucket), Value::BulkString(text)) => {
                self.of_spent_bucket(bucket, cost, text, at)
            }
            (_, Value::Array(items)) => self.of_items(verb, cost, items, at),
            _ => None,
        };
        decision.ok_or_else(Failure::not_understood)
    }

    /// What is said of a call that decides nothing.
    pub(super) fn unspent(&self, at: Ticks) -> Decision {
        Decision {
            allowed: true,
            limit: self.limit,
            remaining: self.limit,
            retry_after: 0,
            reset_after: 0,
            at,
            source: Source::Redis,
            receipt: Receipt::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::quota::Quota;

    fn fixed(text: &str) -> EncodedQuota {
        let quota: Quota = text.parse().expect("a quota");
        EncodedQuota::new(quota.windowed("fixed_window").expect("fits"))
    }

    #[test]
    fn only_a_calendars_bounds_can_be_wrong_and_that_decides_nothing() {
        let (days, windows) = (fixed("5/day in UTC"), fixed("5/day"));
        let outside = Value::Array(vec![Value::Int(1_800_000_000_000_000)]);
        assert_eq!(days.outside(&outside), Some(1_800_000_000 * SECOND));
        assert_eq!(windows.outside(&outside), None);
        for verb in [Verb::Check, Verb::Peek, Verb::Refund] {
            assert!(days.decision(verb, 1, &outside, 0).is_err());
        }
        let whole = Value::Array([4, 0, 9].map(Value::Int).to_vec());
        assert_eq!(days.outside(&whole), None);
        let decision = days.decision(Verb::Check, 1, &whole, 0).expect("decided");
        assert_eq!((decision.remaining, decision.reset_after), (4, 9));
    }

    #[test]
    fn a_calendars_bounds_go_with_every_call() {
        let days = fixed("5/day in UTC");
        let command = days.command(Verb::Check, b"key", 1, &[], Some(90_000 * SECOND), false);
        let sent = String::from_utf8(command.get_packed_command()).expect("text");
        let bounds = [0, 1, 2, 3].map(|day| (day * 86_400 * SECOND).to_string());
        let words: Vec<_> = sent.split("\r\n").skip(2).step_by(2).collect();
        assert_eq!(words[words.len() - 4..], bounds);
    }
}
