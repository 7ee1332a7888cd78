//! What a gate decides when the server does not: for all limits in one way.

use std::sync::atomic::Ordering::Relaxed;

use super::call::Call;
use crate::decision::{Decision, Source};
use crate::gate::{Limit, LimitAsk, MemoryGate};
use crate::store::redis::{Failure, OnError, Part, Verb};
use crate::store::{JointStore, Patience};

impl Call {
    /// The server has not decided: do as the policy says.
    #[cold]
    pub(super) fn stand_in(&self, failure: Failure) -> Result<Vec<(usize, Decision)>, Failure> {
        let (gate, counts) = (&self.gate, &self.gate.counts);
        counts.errors.fetch_add(1, Relaxed);
        if failure == Failure::Timeout {
            counts.timeouts.fetch_add(1, Relaxed);
        }
        for (place, (_, part)) in self.parts.iter().enumerate() {
            part.fail(&failure, place == 0);
        }
        if gate.on_error == OnError::Local {
            counts.local.fetch_add(1, Relaxed);
            let here = if matches!(self.verb, Verb::Check | Verb::Peek) {
                self.decide_here()
            } else {
                Some((self.undecided(true, Source::Local), true))
            };
            let (decisions, all_agree) = here.ok_or(failure)?;
            return Ok(self.told(decisions, |part, told| part.settle_here(told, all_agree)));
        }
        for (_, part) in &self.parts {
            let _ = part.lends(); // or only says that the server is to be told
        }
        let gives_back = matches!(self.verb, Verb::Reset | Verb::Anyway);
        let decisions = match gate.on_error {
            OnError::Raise => return Err(failure),
            OnError::Open => self.undecided(true, Source::Open),
            _ => self.undecided(gives_back, Source::Closed),
        };
        let allowed = gate.on_error == OnError::Open;
        Ok(self.told(decisions, |part, told| part.settle_here(told, allowed)))
    }

    fn undecided(&self, allowed: bool, source: Source) -> Vec<Decision> {
        let parts = self.parts.iter();
        parts
            .map(|(_, part)| part.undecided(allowed, source))
            .collect()
    }

    /// By the limiters in this process, all or nothing, and whether all agree.
    fn decide_here(&self) -> Option<(Vec<Decision>, bool)> {
        let parts: Vec<&Part> = self.parts.iter().map(|(_, part)| part).collect();
        let lent: Vec<bool> = parts.iter().map(|part| part.lends()).collect();
        let may_all = parts
            .iter()
            .zip(&lent)
            .all(|(part, lent)| *lent || part.is_shadow());
        let spends = self.verb == Verb::Check && may_all;
        let kept: Vec<&Part> = parts
            .iter()
            .copied()
            .filter(|part| !part.are_permits())
            .collect();
        let told = decided(&kept, spends);
        let all_agree = may_all && told.as_ref().is_some_and(|(_, allowed)| *allowed);
        if !all_agree {
            let of_permits = parts
                .iter()
                .zip(&lent)
                .filter(|(part, _)| part.are_permits());
            of_permits
                .filter(|(_, lent)| **lent)
                .for_each(|(part, _)| part.return_lent());
        }
        let mut told = told?.0.into_iter();
        let decisions = parts.iter().zip(lent).map(|(part, lent)| {
            if part.are_permits() {
                Some(part.undecided(lent, Source::Local))
            } else {
                told.next()
            }
        });
        Some((decisions.collect::<Option<_>>()?, all_agree))
    }
}

/// What the stand-ins of these parts say together, and whether none refuses.
fn decided(parts: &[&Part], spends: bool) -> Option<(Vec<Decision>, bool)> {
    let locals: Vec<_> = parts
        .iter()
        .map(|part| part.local())
        .collect::<Option<_>>()?;
    let shares: Vec<_> = parts.iter().map(|part| part.share()).collect();
    let each = || parts.iter().zip(&locals).zip(&shares).enumerate();
    let limits = each().map(|(_, ((part, local), _))| Limit {
        store: std::sync::Arc::clone(local) as std::sync::Arc<dyn JointStore>,
        is_shadow: part.is_shadow(),
    });
    let gate = MemoryGate::new(limits.collect()).ok()?;
    let asks = each().map(|(place, ((part, local), share))| {
        LimitAsk::new(place, part.ask(&**local, share.as_ref()))
    });
    let mut asks: Vec<_> = asks.collect();
    let verdict = if spends {
        gate.check(&mut asks, Patience::Wait)
    } else {
        gate.peek(&mut asks, Patience::Wait)
    };
    let allowed = verdict.ok()?.allowed;
    let decisions = asks.iter().map(|ask| {
        ask.decision.map(|decision| Decision {
            source: Source::Local,
            ..decision
        })
    });
    Some((decisions.collect::<Option<_>>()?, allowed))
}
