//! The outcome of a request, and who is told.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use redis::Value;

use crate::decision::Decision;

/// Why a server did not decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It did not answer in time.
    Timeout,
    /// There is no connection.
    Down(String),
    /// It answered with an error.
    Refused(String),
    /// Keys are forgotten in part: it failed at that command.
    At(&'static str, Box<Failure>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("Redis did not answer in time"),
            Self::Down(why) => write!(f, "there is no connection to Redis: {why}"),
            Self::Refused(why) => write!(f, "Redis answered with an error: {why}"),
            Self::At(command, failure) => {
                write!(f, "{failure} (to {command}; so not all keys are forgotten)")
            }
        }
    }
}

impl Failure {
    /// The reply makes no sense.
    #[must_use]
    pub fn not_understood() -> Self {
        Self::Refused("the script's reply was not understood".into())
    }

    /// That, at a command by which keys are forgotten.
    #[must_use]
    pub fn at(self, command: &'static str) -> Self {
        Self::At(command, Box::new(self))
    }
}

/// What a server, or who stands in for it, has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// To a limiter's call.
    Decision(Decision),
    /// To a call of several limits.
    Several(Several),
    /// To a script of the caller's.
    Value(Value),
}

/// What several limits have decided together.
#[derive(Debug, Clone)]
pub struct Several {
    /// Those whose decision is known, each with its place among the limits.
    pub decisions: Vec<(usize, Decision)>,
    /// What the caller needs to make sense of that: it comes back as it was given.
    pub context: Arc<dyn Any + Send + Sync>,
}

impl PartialEq for Several {
    fn eq(&self, other: &Self) -> bool {
        self.decisions == other.decisions
    }
}

/// What a request came to. Only a limiter that wants to know of failures gets one.
pub type Answer = Result<Reply, Failure>;

/// Takes the answers to requests, in any thread and any order, each once.
pub trait Sink: Send + Sync {
    /// Requests have been settled.
    fn settle(&self, answers: Vec<(u64, Answer)>);
}
