//! The algorithm of a key that has a quota of its own: another amount in the same window.

use crate::clock::Ticks;
use crate::error::Result;
use crate::quota::{Calendar, Quota, Terms};

/// The limit of a quota that differs in nothing but the amount from one of the algorithm of that name,
/// which has this limit, window and calendar.
pub(super) fn limit_of(
    quota: &Quota,
    name: &str,
    (limit, window): (u32, Ticks),
    calendar: Option<&Calendar>,
) -> Result<u32> {
    let with = |limit| match calendar.cloned() {
        Some(calendar) => Terms::Calendar { limit, calendar },
        None => Terms::Window { limit, window },
    };
    let amount = match quota.terms {
        Terms::Bucket { amount, .. } => amount,
        _ => quota.limit().unwrap_or(limit),
    };
    if quota.terms == with(amount) {
        return Ok(quota.windowed(name)?.limit());
    }
    let print = |limit| Quota {
        terms: with(limit),
        unit: quota.unit.clone(),
    };
    Err(quota.unfit(&format!(
        "only the amount may differ from the limiter's own quota, '{}', as in '{}'",
        print(limit),
        print(amount)
    )))
}

impl Quota {
    /// Whether it counts what a limiter counts. What counts no units at all is none of this one's.
    ///
    /// # Errors
    /// When its unit is another one.
    pub fn counts(&self, unit: &str) -> Result<()> {
        let has_none = matches!(self.terms, Terms::Concurrent(_) | Terms::Unlimited);
        if has_none || *self.unit == *unit {
            return Ok(());
        }
        let right = Self {
            terms: self.terms.clone(),
            unit: unit.into(),
        };
        Err(self.unfit(&format!(
            "the limiter counts {unit}, not {}: give '{right}'",
            self.unit
        )))
    }
}
