//! A quota as one of several that one script decides by.

use redis::{Cmd, Value};

use super::EncodedQuota;
use crate::algorithm::AnyAlgorithm;
use crate::clock::{Ticks, unix_now};
use crate::decision::{Decision, Receipt};
use crate::store::redis::answer::Failure;

impl EncodedQuota {
    /// Add what the script of several limits is told of one; `told` as of [`EncodedQuota::command`].
    pub(in crate::store::redis) fn add_to(
        &self,
        command: &mut Cmd,
        role: &str,
        cost: u32,
        ids: &[String],
        told: Option<Ticks>,
    ) {
        command.arg(self.word()).arg(role).arg(cost);
        command.arg(&self.arguments).arg(ids);
        self.add_bounds(command, told);
    }

    /// By which that script knows the algorithm.
    fn word(&self) -> &'static str {
        match &self.rule {
            AnyAlgorithm::FixedWindow(_) if self.bounds.is_some() => "d",
            AnyAlgorithm::FixedWindow(_) => "f",
            AnyAlgorithm::SegmentedWindow(_) => "s",
            AnyAlgorithm::SlidingCounter(_) => "c",
            AnyAlgorithm::SlidingLog(_) => "l",
            AnyAlgorithm::TokenBucket(_) => "b",
            AnyAlgorithm::Permits(_) => "p",
        }
    }

    /// What a reply says that was spent whether it fitted or not: the cost of the receipt, which gives
    /// nothing back, is what was counted.
    pub(in crate::store::redis) fn spent_anyway(&self, reply: &Value) -> Result<Decision, Failure> {
        let counted = match reply {
            Value::Int(counted) => Some(*counted),
            Value::Array(items) => match items[..] {
                [Value::Int(counted)] => Some(counted),
                _ => None,
            },
            _ => None,
        };
        let counted = counted.and_then(|counted| u32::try_from(counted).ok());
        let cost = counted.ok_or_else(Failure::not_understood)?;
        Ok(Decision {
            receipt: Receipt {
                cost,
                ..Receipt::NONE
            },
            ..self.unspent(unix_now())
        })
    }
}

/// Whether a reply to one of several limits says that it fits.
pub(in crate::store::redis) fn fits(reply: &Value) -> Option<bool> {
    match reply {
        Value::BulkString(_) => Some(true), // a bucket that was spent from
        Value::Int(room) => Some(*room >= 0),
        Value::Array(items) => match items.first() {
            Some(Value::Int(room)) => Some(*room >= 0),
            _ => None,
        },
        _ => None,
    }
}
