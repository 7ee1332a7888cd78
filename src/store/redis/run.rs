//! A run of the caller's own script: circuits, and what `ping` tries.

use std::sync::Arc;

use redis::{Cmd, Value};

use super::answer::{Answer, Failure, Reply};
use super::key;
use super::request::Work;
use super::script::Script;

/// A script on a key with arguments.
pub struct Run {
    script: Arc<Script>,
    name: Vec<u8>,
    arguments: Vec<String>,
    by_text: bool,
}

impl Run {
    /// `script` on `key`, named as a limiter's key with that prefix is. `by_text`: with its text,
    /// whether or not the server knows it.
    #[must_use]
    pub fn new(
        script: Arc<Script>,
        prefix: &str,
        key: &[u8],
        arguments: Vec<String>,
        by_text: bool,
    ) -> Self {
        Self {
            script,
            name: key::name(prefix, key),
            arguments,
            by_text,
        }
    }
}

impl Work for Run {
    fn name(&self) -> Vec<u8> {
        self.name.clone()
    }

    fn command(&self, by_text: bool) -> Cmd {
        let mut command = self.script.command(by_text || self.by_text);
        command.arg(1).arg(&self.name).arg(&self.arguments);
        command
    }

    fn settle(&self, said: Result<Value, Failure>) -> Answer {
        said.map(Reply::Value)
    }
}
