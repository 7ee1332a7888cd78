//! A quota as a script's arguments, and a script's reply as a decision.

use redis::{Cmd, Value};

use super::answer::Failure;
use super::script::{self, Script};
use crate::algorithm::{AnyAlgorithm, Permits, TokenBucket};
use crate::clock::Ticks;
use crate::decision::{Decision, Receipt, Source};
use crate::error;

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
}

/// A quota, ready to be sent.
pub struct EncodedQuota {
    rule: AnyAlgorithm,
    arguments: Vec<String>,
    limit: u32,
    window: Ticks,
}

impl EncodedQuota {
    /// `rule` as a script's arguments.
    #[must_use]
    pub fn new(rule: AnyAlgorithm) -> Self {
        let (limit, window) = (rule.limit(), rule.window());
        let arguments = match &rule {
            AnyAlgorithm::TokenBucket(rule) => {
                let (capacity, token, tick) = rule.grains_of();
                [capacity, token, tick]
                    .map(|term| term.to_string())
                    .to_vec()
            }
            _ => vec![limit.to_string(), window.to_string()],
        };
        Self {
            rule,
            arguments,
            limit,
            window,
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
    /// permits.
    pub(super) fn command(
        &self,
        verb: Verb,
        key: &[u8],
        cost: u32,
        ids: &[String],
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
        command
    }

    /// The decision that a reply stands for. `at` is the caller's own time.
    pub(super) fn decision(
        &self,
        verb: Verb,
        cost: u32,
        reply: &Value,
        at: Ticks,
    ) -> Result<Decision, Failure> {
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
            (_, Value::Array(items)) => self.of_window(verb, items, at),
            _ => None,
        };
        decision.ok_or_else(|| Failure::Refused("the script's reply was not understood".into()))
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

    /// From the room that is left, or what is missing for `cost` as a negative number.
    fn of_bucket(&self, bucket: &TokenBucket, cost: u32, room: i64, at: Ticks) -> Decision {
        let (capacity, token, tick) = bucket.grains_of();
        let allowed = room >= 0;
        let short = if allowed { 0 } else { room.unsigned_abs() };
        let left = if allowed {
            room.unsigned_abs()
        } else {
            (u64::from(cost) * token).saturating_sub(short)
        };
        Decision {
            allowed,
            remaining: u32::try_from(left / token).unwrap_or(u32::MAX),
            retry_after: short.div_ceil(tick),
            reset_after: capacity.saturating_sub(left).div_ceil(tick),
            ..self.unspent(at)
        }
    }

    /// From room (or -1 - room), wait and reset, and for a log also its first free slot.
    fn of_window(&self, verb: Verb, items: &[Value], at: Ticks) -> Option<Decision> {
        let number = |index: usize| match items.get(index) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        };
        let (room, wait, reset) = (number(0)?, number(1)?, number(2)?);
        let allowed = room >= 0;
        let left = if allowed { room } else { -1 - room };
        let reset = if verb == Verb::FirstFree {
            number(3)?
        } else {
            reset
        };
        Some(Decision {
            allowed,
            remaining: u32::try_from(left).ok()?,
            retry_after: Ticks::try_from(wait).ok()?,
            reset_after: Ticks::try_from(reset).ok()?,
            ..self.unspent(at)
        })
    }
}
