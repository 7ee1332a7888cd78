//! A quota as one of several that one script decides by: its words, and what it is told.

use redis::{Cmd, Value};

use super::EncodedQuota;
use super::receipt::whole;
use crate::algorithm::AnyAlgorithm;
use crate::clock::{Ticks, unix_now};
use crate::decision::{Decision, Receipt};
use crate::store::redis::answer::Failure;

/// What the script is told of all limits, packed as one argument: a server takes many times as long
/// to read numbers as arguments of their own.
#[derive(Debug, Default)]
pub struct Words {
    /// For `struct.unpack`.
    format: String,
    packed: Vec<u8>,
    /// Of permits.
    ids: Vec<String>,
}

impl Words {
    fn letter(&mut self, letter: u8) {
        self.format.push('c');
        self.packed.push(letter);
    }

    /// At most 2^53, or it would be another one.
    fn number(&mut self, number: u64) {
        self.format.push('d');
        #[expect(clippy::cast_precision_loss, reason = "quotas are exact as doubles")]
        self.packed
            .extend_from_slice(&(number as f64).to_le_bytes());
    }

    /// Add them to a command whose arguments end with the mode.
    pub fn end(&self, command: &mut Cmd) {
        command.arg(format!("<{}", self.format));
        command.arg(&self.packed).arg(&self.ids);
    }
}

/// What the script tells of one limit: the room that is left, or what is missing below 0; and of a window
/// its wait, or where it is spent from the receipt's mark, and its reset. Of a bucket, the server's time
/// and how much has come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    room: i64,
    more: [u64; 2],
}

impl Told {
    /// What a reply tells of so many limits.
    #[must_use]
    pub fn all(reply: &Value, limits: usize) -> Option<Vec<Self>> {
        let Value::BulkString(bytes) = reply else {
            return None;
        };
        let (numbers, []) = bytes.as_chunks() else {
            return None;
        };
        let (each, []) = numbers.as_chunks() else {
            return None;
        };
        let all: Option<Vec<Self>> = each.iter().map(Self::of).collect();
        all.filter(|all| all.len() == limits)
    }

    fn of(&[room, first, second]: &[[u8; 8]; 3]) -> Option<Self> {
        let size = whole(f64::from_le_bytes(room).abs().to_le_bytes())?.cast_signed();
        let is_missing = f64::from_le_bytes(room) < 0.0;
        Some(Self {
            room: if is_missing { -size } else { size },
            more: [whole(first)?, whole(second)?],
        })
    }

    /// Whether it fits.
    #[must_use]
    pub fn fits(self) -> bool {
        self.room >= 0
    }
}

impl EncodedQuota {
    /// Add what the script of several limits is told of one; `told` as of [`EncodedQuota::command`].
    pub(in crate::store::redis) fn add_to(
        &self,
        words: &mut Words,
        role: u8,
        cost: u32,
        ids: Vec<String>,
        told: Option<Ticks>,
    ) {
        words.letter(self.letter());
        words.letter(role);
        words.number(cost.into());
        for &number in &self.numbers {
            words.number(number);
        }
        if self.are_permits() {
            words.number(4 + words.ids.len() as u64); // the argument that is its first id
        }
        words.ids.extend(ids);
        for bound in self.bounds_at(told).into_iter().flatten() {
            words.number(bound);
        }
    }

    /// By which that script knows the algorithm.
    fn letter(&self) -> u8 {
        match &self.rule {
            AnyAlgorithm::FixedWindow(_) if self.bounds.is_some() => b'd',
            AnyAlgorithm::FixedWindow(_) => b'f',
            AnyAlgorithm::SegmentedWindow(_) => b's',
            AnyAlgorithm::SlidingCounter(_) => b'c',
            AnyAlgorithm::SlidingLog(_) => b'l',
            AnyAlgorithm::TokenBucket(_) => b'b',
            AnyAlgorithm::Permits(_) => b'p',
        }
    }

    /// The decision of one of several limits.
    pub(in crate::store::redis) fn joint_decision(
        &self,
        is_spent: bool,
        cost: u32,
        told: Told,
        at: Ticks,
    ) -> Result<Decision, Failure> {
        let Told { room, more } = told;
        let decision = match &self.rule {
            AnyAlgorithm::TokenBucket(bucket) if is_spent && room >= 0 => {
                let missing = bucket.grains_of().0.checked_sub(room.unsigned_abs());
                missing.map(|missing| Decision {
                    receipt: self.spent(cost, more[0], [missing, more[1]]),
                    ..self.of_bucket(bucket, cost, room, at)
                })
            }
            AnyAlgorithm::TokenBucket(bucket) => Some(self.of_bucket(bucket, cost, room, at)),
            _ => self.of_window(is_spent, cost, (room, more), at),
        };
        decision.ok_or_else(Failure::not_understood)
    }

    /// What was spent whether it fitted or not: the cost of the receipt, which gives nothing back, is what
    /// was counted.
    pub(in crate::store::redis) fn spent_anyway(&self, told: Told) -> Result<Decision, Failure> {
        let cost = u32::try_from(told.room).map_err(|_| Failure::not_understood())?;
        Ok(Decision {
            receipt: Receipt {
                cost,
                ..Receipt::NONE
            },
            ..self.unspent(unix_now())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(numbers: &[f64]) -> Value {
        Value::BulkString(
            numbers
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect(),
        )
    }

    #[test]
    fn three_whole_numbers_are_told_of_each_limit() {
        let told = Told::all(&reply(&[4.0, 0.0, 9.0, -3.0, 7.0, 8.0]), 2).expect("understood");
        let first = Told {
            room: 4,
            more: [0, 9],
        };
        let second = Told {
            room: -3,
            more: [7, 8],
        };
        assert_eq!(told, [first, second]);
        assert_eq!((first.fits(), second.fits()), (true, false));
        for wrong in [
            vec![4.0, 0.0, 9.0, 1.0],
            vec![4.0, 0.0, 9.0],
            vec![4.5, 0.0, 9.0, 1.0, 1.0, 1.0],
            vec![4.0, -1.0, 9.0, 1.0, 1.0, 1.0],
            vec![f64::NAN, 0.0, 9.0, 1.0, 1.0, 1.0],
        ] {
            assert_eq!(Told::all(&reply(&wrong), 2), None, "{wrong:?}");
        }
        assert_eq!(Told::all(&Value::BulkString(b"4".to_vec()), 1), None);
        assert_eq!(Told::all(&Value::Int(4), 1), None);
    }

    #[test]
    fn limits_are_packed_and_permits_say_where_their_ids_are() {
        let mut words = Words::default();
        for name in ["permits", "sliding_log", "permits"] {
            let quota = EncodedQuota::new(AnyAlgorithm::named(name, 5, 60).expect("known"));
            let ids = vec![name.to_owned(); usize::from(name == "permits")];
            quota.add_to(&mut words, b'e', 1, ids, None);
        }
        assert_eq!(words.format, "ccddddccdddccdddd");
        let number = |at: usize| {
            let bytes = words.packed[at..].first_chunk().expect("packed");
            whole(*bytes)
        };
        let (permits, log) = (2 + 4 * 8, 2 + 3 * 8);
        assert_eq!(number(permits - 8), Some(4));
        assert_eq!(number(permits + log + permits - 8), Some(5));
        assert_eq!(words.ids, ["permits", "permits"]);
    }
}
