//! The verbs that answer at once. Not one waits for a lock, unless somebody waits for a key here.

use std::sync::atomic::Ordering::Relaxed;

use super::ZoneStore;
use crate::algorithm::{AnyAlgorithm, Spend};
use crate::clock::Ticks;
use crate::decision::{Decision, Receipt};
use crate::error;
use crate::quota::Quota;
use crate::store::zone::table::tenancy::Tenancy;
use crate::store::zone::word::Word;
use crate::store::{Ask, Fingerprint, Patience, Result, Statistics, Stop, Store};

/// What came of a call, by the swap that went through if it has spent.
struct Admitted<W: Word> {
    allowed: bool,
    /// After it.
    state: W::State,
    /// When it was decided.
    now: Ticks,
    tenancy: Tenancy,
}

impl<W: Word> ZoneStore<W> {
    /// Decide and spend, whoever waits; counts nothing.
    #[expect(
        clippy::inline_always,
        reason = "measured: a call takes as long as a few moves"
    )]
    #[inline(always)]
    pub(in crate::store::zone) fn decide(
        &self,
        algorithm: &W,
        ask: Ask<'_>,
        now: Ticks,
    ) -> (Decision, Tenancy) {
        let admitted = self.admit(algorithm, ask, now);
        let Admitted {
            allowed,
            now,
            tenancy,
            ..
        } = admitted;
        let (state, cost) = (&admitted.state, ask.cost);
        let mut decision = self.decision(algorithm, state, now, cost, allowed);
        if allowed {
            decision.receipt = self.receipt(algorithm, state, now, (ask.key.tag(), cost));
        }
        decision.receipt.number = tenancy.number();
        (decision, tenancy)
    }

    /// The same, not told yet.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn admit(&self, algorithm: &W, ask: Ask<'_>, now: Ticks) -> Admitted<W> {
        if let Some(member) = self.zone.member(self.id, ask.key)
            && !algorithm.is_ahead(member.payload(), now)
        {
            let mut state = algorithm.unpack(member.payload(), now);
            let allowed = algorithm.admit(&mut state, now, ask.cost);
            if !allowed || member.swap(algorithm.pack(&state)) {
                let tenancy = member.tenancy;
                return Admitted {
                    allowed,
                    state,
                    now,
                    tenancy,
                };
            }
        }
        self.admit_slowly(algorithm, ask, now)
    }

    /// The same of a key that is new, lies elsewhere than most, or is changed by others right now.
    #[inline(never)]
    fn admit_slowly(&self, algorithm: &W, ask: Ask<'_>, now: Ticks) -> Admitted<W> {
        let updated = self
            .zone
            .update(self.id, ask.key, now, &|| self.time(), |seen| {
                self.with_state(algorithm, seen, |state, now| {
                    let allowed = algorithm.admit(state, now, ask.cost);
                    (allowed, (allowed, state.clone(), now))
                })
            });
        let (allowed, state, now) = updated.result;
        let tenancy = updated.tenancy;
        Admitted {
            allowed,
            state,
            now,
            tenancy,
        }
    }

    /// What a decision would be, whoever waits; with the state, and the time on the store's clock.
    pub(in crate::store::zone) fn look_at(
        &self,
        algorithm: &W,
        ask: Ask<'_>,
        now: Ticks,
    ) -> (Decision, W::State, Ticks) {
        let found = self.zone.look(self.id, ask.key, now);
        let now = if algorithm.is_ahead(found.payload, now) {
            now.max(self.time())
        } else {
            now
        };
        let state = algorithm.unpack(found.payload, now);
        let fits = algorithm.fits(&state, now, ask.cost);
        let decision = self.decision(algorithm, &state, now, ask.cost, fits);
        (decision, state, now)
    }

    /// Take something off what a key has spent, and tell those who wait for it here.
    fn change(
        &self,
        key: Fingerprint,
        tenancy: Option<Tenancy>,
        act: impl Fn(&mut W::State, Ticks),
    ) -> error::Result<()> {
        let algorithm = self.by(None)?;
        let now = self.time();
        let tenancy = tenancy.unwrap_or_else(|| self.zone.look(self.id, key, now).tenancy);
        if tenancy != Tenancy::NONE {
            self.zone.update_at(self.id, key, tenancy, now, |seen| {
                self.with_state(&algorithm, seen, |state, now| (true, act(state, now)))
            });
        }
        self.wake_first(key);
        Ok(())
    }

    fn has_queue(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }
}

impl<W: Word> Store for ZoneStore<W> {
    #[inline]
    fn fingerprint(&self, key: &[u8]) -> Fingerprint {
        self.zone.hasher().fingerprint(key)
    }

    fn limit(&self) -> u32 {
        self.algorithm().limit()
    }

    fn window(&self) -> Ticks {
        self.algorithm().window()
    }

    #[inline]
    fn now(&self) -> Ticks {
        self.time()
    }

    fn unix(&self, at: Ticks) -> Ticks {
        at.saturating_add_signed(self.offset())
    }

    fn is_manual(&self) -> bool {
        self.has_manual_clock()
    }

    fn len(&self) -> usize {
        self.zone.count(self.id, self.time())
    }

    fn scans(&self) -> bool {
        true
    }

    fn examine(&self, ask: Ask<'_>, _patience: Patience) -> Result<u32> {
        let limit = self.by(ask.quota)?.limit();
        error::fits(ask.cost, limit)?;
        Ok(limit)
    }

    #[inline]
    fn is_allowed(&self, ask: Ask<'_>, now: Option<Ticks>, patience: Patience) -> Result<bool> {
        let mut room = None;
        let algorithm = self.by_in(ask.quota, &mut room)?;
        error::fits(ask.cost, algorithm.limit())?;
        let now = now.unwrap_or_else(|| self.time());
        if self.has_queue()
            && self
                .refused_behind(algorithm, ask, now, patience)?
                .is_some()
        {
            self.counts.count(false, Tenancy::NONE);
            return Ok(false);
        }
        let admitted = self.admit(algorithm, ask, now);
        self.counts.count(admitted.allowed, admitted.tenancy);
        Ok(admitted.allowed)
    }

    #[inline]
    fn check(&self, ask: Ask<'_>, now: Option<Ticks>, patience: Patience) -> Result<Decision> {
        let mut room = None;
        let algorithm = self.by_in(ask.quota, &mut room)?;
        error::fits(ask.cost, algorithm.limit())?;
        let now = now.unwrap_or_else(|| self.time());
        if self.has_queue()
            && let Some((refusal, _)) = self.refused_behind(algorithm, ask, now, patience)?
        {
            self.counts.count(false, Tenancy::NONE);
            return Ok(refusal);
        }
        let (decision, tenancy) = self.decide(algorithm, ask, now);
        self.counts.count(decision.allowed, tenancy);
        Ok(decision)
    }

    fn peek(&self, ask: Ask<'_>, patience: Patience) -> Result<Decision> {
        let algorithm = self.by(ask.quota)?;
        error::fits(ask.cost, algorithm.limit())?;
        let now = self.time();
        if self.has_queue()
            && let Some((refusal, _)) = self.refused_behind(&algorithm, ask, now, patience)?
        {
            return Ok(refusal);
        }
        Ok(self.look_at(&algorithm, ask, now).0)
    }

    fn first_free_at(&self, key: Fingerprint, _patience: Patience) -> Result<Ticks> {
        let algorithm = self.by(None)?;
        let (_, state, now) = self.look_at(&algorithm, Ask::new(key, 1), self.time());
        let at = algorithm.first_free_at(&state, now);
        Ok(at.unwrap_or(now.saturating_add(algorithm.window())))
    }

    fn admit_many(
        &self,
        keys: &[Fingerprint],
        cost: u32,
        quota: Option<&Quota>,
        answers: &mut [Option<bool>],
        patience: Patience,
    ) -> Result<()> {
        let mut is_begun = false;
        for (&key, answer) in keys.iter().zip(answers) {
            if answer.is_none() {
                match self.is_allowed(Ask { key, cost, quota }, None, patience) {
                    Ok(allowed) => *answer = Some(allowed),
                    // The quota has shrunk since: what was spent keeps its answer.
                    Err(Stop::Invalid(_)) if is_begun => *answer = Some(false),
                    Err(stop) => return Err(stop),
                }
            }
            is_begun = true;
        }
        Ok(())
    }

    fn refund(&self, key: Fingerprint, cost: u32, _patience: Patience) -> Result<()> {
        let algorithm = self.by(None)?;
        error::fits(cost, algorithm.limit())?;
        self.change(key, None, |state, now| algorithm.refund(state, now, cost))?;
        Ok(())
    }

    fn refund_spend(
        &self,
        key: Fingerprint,
        receipt: &Receipt,
        units: u32,
        _patience: Patience,
    ) -> Result<()> {
        let algorithm = self.by(None)?;
        if receipt.cost == 0 {
            return Ok(());
        }
        let spend = Spend {
            at: receipt.at,
            mark: receipt.mark(),
        };
        let tenancy = Tenancy::from_number(receipt.number);
        self.change(key, Some(tenancy), |state, now| {
            algorithm.give_back_marked(state, now, (spend, receipt.cost), units);
        })?;
        Ok(())
    }

    fn is_mine(&self, receipt: &Receipt) -> bool {
        receipt.store == self.number
    }

    fn reset(&self, key: Fingerprint, _patience: Patience) -> Result<()> {
        self.zone.remove(self.id, key);
        self.wake_first(key);
        Ok(())
    }

    fn clear(&self) {
        self.zone.clear(self.id);
        self.wake_heads();
    }

    fn set_quota(&self, quota: AnyAlgorithm) -> bool {
        self.replace(&quota).is_ok()
    }

    fn statistics(&self, _patience: Patience) -> Result<Statistics> {
        Ok(Statistics {
            admitted: self.counts.admitted.load(Relaxed),
            refused: self.counts.refused.load(Relaxed),
            would_have_refused: self.counts.would_have_refused.load(Relaxed),
            keys: self.len(),
            overflowed: self.counts.overflowed.load(Relaxed),
            ..Statistics::default()
        })
    }
}
