//! The outcome of a request, and who is told.

use std::fmt;

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
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("Redis did not answer in time"),
            Self::Down(why) => write!(f, "there is no connection to Redis: {why}"),
            Self::Refused(why) => write!(f, "Redis answered with an error: {why}"),
        }
    }
}

/// What a server, or who stands in for it, has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// To a limiter's call.
    Decision(Decision),
    /// To a script of the caller's.
    Value(Value),
}

/// What a request came to. Only a limiter that wants to know of failures gets one.
pub type Answer = Result<Reply, Failure>;

/// Takes the answers to requests, in any thread and any order, each once.
pub trait Sink: Send + Sync {
    /// Requests have been settled.
    fn settle(&self, answers: Vec<(u64, Answer)>);
}
