//! What is sent to a server: one script run on one key.

use std::time::Duration;

use redis::{Cmd, Value};

use super::answer::{Answer, Failure};

/// What a server says to a request, be it an error; or why it says nothing.
pub(super) type Said = Result<Value, Failure>;

/// One request on its way.
pub struct Request {
    /// By which its sink knows it.
    pub id: u64,
    /// What is to be done.
    pub work: Box<dyn Work>,
    /// Within so long, from when it is sent on.
    pub timeout: Duration,
}

/// A script with its key. It is sent again only if the server says that it did nothing.
pub trait Work: Send + Sync {
    /// The key's name, which decides on the server in charge.
    fn name(&self) -> Vec<u8>;

    /// The command, with the script's digest or its text.
    fn command(&self, by_text: bool) -> Cmd;

    /// Whether the server said that it did nothing, and why, so that another command is to be sent.
    fn is_put_right(&self, _reply: &Value) -> bool {
        false
    }

    /// What the server's reply, or its failure, means to the caller.
    ///
    /// # Errors
    /// When nobody decided.
    fn settle(&self, said: Result<Value, Failure>) -> Answer;
}

impl Request {
    /// The sender gives it its number.
    #[must_use]
    pub fn new(work: impl Work + 'static, timeout: Duration) -> Self {
        Self {
            id: 0,
            work: Box::new(work),
            timeout,
        }
    }
}
