//! What is sent to a server: one script run on one key.

use redis::{Cmd, Value};

use super::script::Script;
use super::{Call, Failure};

/// What a server says to a request, be it an error; or why it says nothing.
pub(super) type Reply = Result<Value, Failure>;

/// A script with its key. It can be sent again only if the server says that it did nothing.
pub(super) trait Request: Send + Sync {
    /// The key's name, which decides on the server in charge.
    fn name(&self) -> Vec<u8>;

    /// The command, with the script's digest or its text.
    fn command(&self, by_text: bool) -> Cmd;
}

impl Request for Call {
    fn name(&self) -> Vec<u8> {
        self.limit.name(&self.key)
    }

    fn command(&self, by_text: bool) -> Cmd {
        self.quota
            .command(self.verb, &self.name(), self.cost, by_text)
    }
}

/// A run of a script of the caller's, for what is no limiter.
pub struct Run {
    script: Script,
    name: Vec<u8>,
    arguments: Vec<Vec<u8>>,
    by_text: bool,
}

impl Run {
    /// `text` on `key`, named as a limiter's key with that prefix is.
    #[must_use]
    pub fn new(text: String, prefix: &str, key: &[u8], arguments: Vec<Vec<u8>>) -> Self {
        Self {
            script: Script::new(text),
            name: super::key::name(prefix, key),
            arguments,
            by_text: false,
        }
    }

    /// Sent with its text, whether or not the server knows it.
    #[must_use]
    pub fn by_text(self) -> Self {
        Self {
            by_text: true,
            ..self
        }
    }
}

impl Request for Run {
    fn name(&self) -> Vec<u8> {
        self.name.clone()
    }

    fn command(&self, by_text: bool) -> Cmd {
        let mut command = self.script.command(by_text || self.by_text);
        command.arg(1).arg(&self.name).arg(&self.arguments);
        command
    }
}

/// A reply without its errors.
pub(super) fn without_error(reply: Value) -> Reply {
    match reply {
        Value::ServerError(error) => Err(Failure::refused(&error)),
        reply => Ok(reply),
    }
}
