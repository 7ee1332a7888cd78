//! What the random callers do, step by step.

use proptest::prelude::*;

use super::super::super::oracle::{KEYS, LIMITS};
use super::verbs::{Verb, events};
use super::*;

impl World {
    /// The questions to one of the gates.
    fn questions(&self, which: usize, parts: &[Part]) -> Arc<[Question]> {
        let question = |&(limit, name, cost): &Part| Question {
            limit: if which == 0 {
                limit
            } else {
                LIMITS - 1 - limit
            },
            key: self.gates[0].fingerprint(&[name]),
            cost,
            quota: None,
        };
        parts.iter().map(question).collect()
    }

    fn call(&mut self, which: usize, verb: &Verb, parts: &[Part]) -> Check {
        let questions = self.questions(which, parts);
        let ask = |one: &Question| LimitAsk::new(one.limit, Ask::new(one.key, one.cost));
        let mut asks: Vec<_> = questions.iter().map(ask).collect();
        let gate = &self.gates[which];
        let told = match verb {
            Verb::Check(_) => gate.check(&mut asks, Patience::Wait).map(Some),
            Verb::Peek(_) => gate.peek(&mut asks, Patience::Wait).map(Some),
            _ => gate.admit_at_once(&mut asks, Patience::Wait),
        };
        self.forget_the_vanished();
        let Some(told) = told.map_err(|stop| format!("{stop:?}"))? else {
            let may = self.may(parts, u64::MAX);
            return match may {
                May::BeAdmitted => Err("it need not wait".into()),
                _ => Ok(()),
            };
        };
        self.examine(parts, u64::MAX, &told)?;
        if !matches!(verb, Verb::Peek(_)) {
            self.settle(parts, &told);
        }
        Ok(())
    }

    fn wait(&mut self, which: usize, parts: Vec<Part>, timeout: Option<Ticks>) -> Check {
        let bell = Arc::new(Bell::default());
        let wake: Arc<dyn Wake> = bell.clone();
        let questions = self.questions(which, &parts);
        let joined = self.gates[which].join(&questions, (timeout, None), &wake, Patience::Wait);
        self.forget_the_vanished();
        match joined.map_err(|stop| format!("{stop:?}"))? {
            GateJoined::Settled(Settled { verdict, .. }) => {
                self.examine(&parts, u64::MAX, &verdict)?;
                if !verdict.allowed {
                    self.examine_deadline(&parts, u64::MAX, timeout, true)?;
                }
                self.settle(&parts, &verdict);
            }
            GateJoined::Queued { ticket, poll_at } => {
                if self.may(&parts, u64::MAX) == May::BeAdmitted {
                    return Err(format!("{parts:?} need not wait"));
                }
                self.examine_deadline(&parts, u64::MAX, timeout, false)?;
                let number = ticket.number();
                let one = One {
                    parts,
                    deadline: timeout.map_or(Ticks::MAX, |timeout| self.clock.now() + timeout),
                    waiting: Waiting {
                        ticket,
                        bell,
                        poll_at,
                    },
                    poll_at: poll_at.unwrap_or(Ticks::MAX),
                };
                self.all.insert(number, one);
            }
            GateJoined::Gone(_) => return Err("the gate was not replaced".into()),
        }
        Ok(())
    }

    /// Those who vanished, and were rung since, have lost their places.
    fn forget_the_vanished(&mut self) {
        self.all
            .retain(|_, one| !one.waiting.bell.unheard.load(SeqCst));
    }

    fn is_awake(&self, one: &One) -> bool {
        let bell = &one.waiting.bell;
        let is_due = self.has_timers && one.poll_at <= self.clock.now();
        !bell.gone.load(SeqCst) && (bell.rung.load(SeqCst) || is_due)
    }

    fn awake(&self) -> Vec<u64> {
        let all = self.all.iter();
        all.filter(|(_, one)| self.is_awake(one))
            .map(|(&number, _)| number)
            .collect()
    }

    fn poll(&mut self, number: u64) -> Check {
        let one = &self.all[&number];
        one.waiting.bell.was_rung();
        let polled = one.waiting.ticket.poll(Patience::Wait);
        let polled = polled.map_err(|stop| format!("{stop:?}"))?;
        let Some(one) = self.all.remove(&number) else {
            return Err("it was there".into());
        };
        self.forget_the_vanished();
        let now = self.clock.now();
        let left = (one.deadline < Ticks::MAX).then(|| one.deadline.saturating_sub(now));
        match polled {
            GatePolled::Settled(Settled { verdict, .. }) => {
                self.examine(&one.parts, number, &verdict)?;
                if !verdict.allowed {
                    self.examine_deadline(&one.parts, number, left, true)?;
                }
                self.settle(&one.parts, &verdict);
            }
            GatePolled::Pending(poll_at) => {
                if self.may(&one.parts, number) == May::BeAdmitted {
                    return Err(format!("{number} {:?} could be admitted", one.parts));
                }
                self.examine_deadline(&one.parts, number, left, false)?;
                let poll_at = poll_at.unwrap_or(Ticks::MAX);
                self.all.insert(number, One { poll_at, ..one });
            }
            GatePolled::Gone => return Err(format!("{number} waits")),
        }
        Ok(())
    }

    /// Whether one before `number` has to come first, or will never: it wakes those behind it when it
    /// comes, and is found by the next call when it does not.
    fn is_behind_another(&self, parts: &[Part], number: u64) -> bool {
        let has = |part: &Part| parts.iter().any(|own| (own.0, own.1) == (part.0, part.1));
        self.all.range(..number).any(|(_, one)| {
            let is_gone = one.waiting.bell.gone.load(SeqCst);
            one.parts.iter().any(has) && (is_gone || self.is_awake(one))
        })
    }

    /// Whoever could be admitted is awake, or behind one who is.
    fn nobody_is_forgotten(&self) -> Check {
        for (&number, one) in &self.all {
            let is_gone = one.waiting.bell.gone.load(SeqCst);
            if self.is_admissible(&one.parts, number)
                && !is_gone
                && !self.is_awake(one)
                && !self.is_behind_another(&one.parts, number)
            {
                return Err(format!("{number} sleeps: {:?}", one.parts));
            }
        }
        Ok(())
    }

    fn advance(&mut self, by: Ticks) {
        let rung = |one: &One| one.waiting.bell.rung.load(SeqCst);
        let before: Vec<_> = self.all.values().map(rung).collect();
        self.clock.advance(by);
        let all = self.all.values();
        let mut bells = all.map(|one| &one.waiting.bell);
        // Those who follow one that is gone are woken whatever the time.
        let is_one_gone = bells.any(|bell| bell.unheard.load(SeqCst));
        if self.has_timers && !is_one_gone {
            for (one, was_rung) in self.all.values().zip(before) {
                one.waiting.bell.rung.store(was_rung, SeqCst);
            }
        }
        self.forget_the_vanished();
    }

    fn refund(&mut self, name: u8) -> Check {
        let key = self.gates[0].fingerprint(&[name]);
        let (permits, now) = (&mut self.pairs[LIMITS - 1], self.clock.now());
        let refunded = permits.store.refund(key, 1, Patience::Wait);
        refunded.map_err(|stop| format!("{stop:?}"))?;
        permits.oracle.refund(name, now);
        self.forget_the_vanished();
        Ok(())
    }

    fn owe(&mut self, limit: usize, name: u8, cost: u32) -> Check {
        let ask = Ask::new(self.gates[0].fingerprint(&[name]), cost);
        let (pair, now) = (&mut self.pairs[limit], self.clock.now());
        let owed = pair.store.spend_anyway(ask, Patience::Wait);
        owed.map_err(|stop| format!("{stop:?}"))?;
        pair.oracle.owe(name, cost, now);
        self.forget_the_vanished();
        Ok(())
    }

    fn reset(&mut self, limit: usize, name: u8) -> Check {
        let key = self.gates[0].fingerprint(&[name]);
        let pair = &mut self.pairs[limit];
        let reset = pair.store.reset(key, Patience::Wait);
        reset.map_err(|stop| format!("{stop:?}"))?;
        pair.oracle.reset(name);
        self.forget_the_vanished();
        Ok(())
    }

    fn nth(&self, at: usize) -> Option<u64> {
        let at = at.checked_rem(self.all.len())?;
        self.all.keys().nth(at).copied()
    }

    fn step(&mut self, which: usize, verb: &Verb) -> Check {
        match verb {
            Verb::Check(ways) | Verb::AtOnce(ways) | Verb::Peek(ways) => {
                self.call(which, verb, &parts_of(ways))?;
            }
            Verb::Wait(ways, timeout) => self.wait(which, parts_of(ways), *timeout)?,
            Verb::Come(at) => {
                let awake = self.awake();
                if let Some(at) = at.checked_rem(awake.len()) {
                    self.poll(awake[at])?;
                }
            }
            Verb::Spurious(at) => {
                if let Some(number) = self.nth(*at)
                    && !self.all[&number].waiting.bell.gone.load(SeqCst)
                {
                    self.poll(number)?;
                }
            }
            Verb::Leave(at) => {
                if let Some(number) = self.nth(*at) {
                    self.all.remove(&number);
                    self.forget_the_vanished();
                }
            }
            Verb::Vanish(at) => {
                if let Some(number) = self.nth(*at) {
                    self.all[&number].waiting.bell.gone.store(true, SeqCst);
                }
            }
            Verb::Refund(name) => self.refund(*name)?,
            Verb::Owe(limit, name, cost) => self.owe(*limit, *name, *cost)?,
            Verb::Reset(limit, name) => self.reset(*limit, *name)?,
        }
        self.nobody_is_forgotten()
    }

    /// In the end nobody is left, and nothing of them.
    fn drain(&mut self) -> Check {
        for _ in 0..2_000 {
            self.all
                .retain(|_, one| !one.waiting.bell.gone.load(SeqCst));
            if self.all.is_empty() {
                let left: usize = self.gates.iter().map(|gate| applicants(gate)).sum();
                return if left == 0 {
                    Ok(())
                } else {
                    Err(format!("{left} have left a trace"))
                };
            }
            self.nobody_is_forgotten()?;
            if let Some(&number) = self.awake().first() {
                self.poll(number)?;
                continue;
            }
            let next = self.all.values().map(|one| one.poll_at).min();
            let next = next.filter(|next| self.has_timers && *next < Ticks::MAX);
            let now = self.clock.now();
            self.advance(next.map_or(SECOND / 2, |next| next - now));
            for name in 0..KEYS {
                self.refund(name)?;
            }
        }
        Err(format!("{} wait for ever", self.all.len()))
    }

    fn run(&mut self, events: &[(bool, Ticks, Verb)]) -> Check {
        for (which, gap, verb) in events {
            self.advance(*gap);
            self.nobody_is_forgotten()
                .map_err(|error| format!("after {gap}: {error}"))?;
            self.step(usize::from(*which), verb)
                .map_err(|error| format!("{verb:?} at {}: {error}", self.clock.now()))?;
        }
        self.drain()?;
        let told = self.gates[0].statistics(Patience::Wait).expect("free");
        for (limit, (told, counts)) in told.iter().zip(&self.counts).enumerate() {
            if [told.admitted, told.refused, told.would_have_refused] != *counts {
                return Err(format!("limit {limit}: {told:?}, not {counts:?}"));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_passed_held_up_or_forgotten(
        events in events(),
        shadows in prop::array::uniform6(prop::bool::weighted(0.1)),
        has_timers in any::<bool>(),
    ) {
        let ran = World::new(shadows, has_timers).run(&events);
        prop_assert!(ran.is_ok(), "{}", ran.unwrap_err());
    }
}
