//! A call of a gate on its way to the server, and what comes back.

use std::any::Any;
use std::sync::Arc;

use redis::{Cmd, Value};

use super::shared::Shared;
use crate::decision::Decision;
use crate::store::redis::{Answer, Failure, GATE, Part, Reply, Several, Told, Verb, Words, Work};

pub(super) struct Call {
    pub(super) gate: Arc<Shared>,
    pub(super) verb: Verb,
    /// What each limit is asked, with its place in the gate.
    pub(super) parts: Vec<(usize, Part)>,
    pub(super) context: Arc<dyn Any + Send + Sync>,
}

impl Work for Call {
    fn name(&self) -> Vec<u8> {
        self.parts[0].1.name() // the others are on the same node
    }

    fn command(&self, by_text: bool) -> Cmd {
        let names: Vec<_> = self.parts.iter().map(|(_, part)| part.name()).collect();
        let mode = match self.verb {
            Verb::Reset => {
                let mut command = redis::cmd("UNLINK");
                command.arg(&names);
                return command;
            }
            Verb::Check => "c",
            Verb::Anyway => "a",
            _ => "p",
        };
        let mut command = GATE.command(by_text);
        command.arg(self.parts.len());
        command.arg(&names);
        command.arg(mode);
        let mut words = Words::default();
        for (_, part) in &self.parts {
            part.add_to(&mut words);
        }
        words.end(&mut command);
        command
    }

    fn is_put_right(&self, reply: &Value) -> bool {
        let parts = self.parts.iter();
        parts.fold(false, |is_so, (_, part)| part.is_put_right(reply) || is_so)
    }

    fn settle(&self, said: Result<Value, Failure>) -> Answer {
        let read = said.and_then(|reply| self.read(&reply));
        let decisions = match read {
            Ok((decisions, all_agree)) => {
                self.told(decisions, |part, decision| part.settle(decision, all_agree))
            }
            Err(failure) => self.stand_in(failure)?,
        };
        if self.verb == Verb::Check {
            self.gate
                .count(self.verb, self.gate.verdict(&decisions).allowed);
        }
        Ok(Reply::Several(Several {
            decisions,
            context: Arc::clone(&self.context),
        }))
    }
}

impl Call {
    /// The decisions, each with its limit and noted by it.
    pub(super) fn told(
        &self,
        decisions: Vec<Decision>,
        note: impl Fn(&Part, Decision) -> Decision,
    ) -> Vec<(usize, Decision)> {
        let parts = self.parts.iter().zip(decisions);
        parts
            .map(|((limit, part), decision)| (*limit, note(part, decision)))
            .collect()
    }

    /// What each limit says, and whether all agree, so that what fits was spent.
    fn read(&self, reply: &Value) -> Result<(Vec<Decision>, bool), Failure> {
        let parts = self.parts.iter().map(|(_, part)| part);
        if self.verb == Verb::Reset {
            let all = parts.map(Part::forgotten).collect();
            return Ok((all, true));
        }
        if self.is_put_right(reply) {
            return Err(Failure::Refused("its clock leaps between two calls".into()));
        }
        let told = Told::all(reply, self.parts.len()).ok_or_else(Failure::not_understood)?;
        let each = || parts.clone().zip(&told);
        let all_agree = each().all(|(part, told)| part.agrees(*told));
        let decisions = each().map(|(part, told)| part.read(*told, all_agree));
        Ok((decisions.collect::<Result<_, _>>()?, all_agree))
    }
}
