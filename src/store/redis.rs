//! Limits whose state is in Redis: one script, one key and one round trip a decision.
//!
//! Calls come in batches from any thread, are carried by one thread of ours ([`io`]) over one
//! supervised connection a server ([`link`]), and are settled by their [`Sink`].

mod cluster;
mod connect;
mod connection;
mod io;
mod key;
mod limit;
mod line;
mod link;
mod listed;
mod meaning;
mod notices;
mod refused;
mod request;
mod route;
mod routes;
mod rule;
mod run;
mod script;
mod settings;
mod slots;
mod stand_in;
mod stream;
mod supervise;
mod tls;
mod uncharged;

pub use io::{after_fork_in_child, after_fork_in_parent, before_fork, generation, handle};
pub use limit::{Limit, OnError, RedisStatistics};
pub use notices::{notice, take_notices};
pub use request::{Request, Work};
pub use route::Route;
pub use routes::RouteUse;
pub use rule::Quota;
pub use run::Run;
pub use script::Script;
pub use settings::{Settings, Tls, Topology};
pub use stand_in::{StandInKey, stand_in, stand_in_from};

use std::fmt;

use redis::Value;

use crate::decision::Decision;

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
}

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

impl Failure {
    /// The server has answered with this error.
    #[must_use]
    pub fn refused(error: &redis::ServerError) -> Self {
        Self::Refused(meaning::told(error))
    }
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

/// Who made requests, and takes their answers, in any thread and any order, each once.
pub trait Sink: Send + Sync {
    /// Requests have been settled.
    fn settle(&self, answers: Vec<(u64, Answer)>);
}
