//! The scripts, and what is sent to run one.

use std::sync::LazyLock;

use redis::{Cmd, Script as RedisScript, cmd};

/// A script with its digest, by which a server knows it.
pub(super) struct Script {
    text: &'static str,
    digest: String,
}

macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| Script::new(include_str!(concat!("../scripts/", $file, ".lua"))))
    };
}

pub(super) static FIXED_WINDOW: LazyLock<Script> = script!("fixed_window");
pub(super) static SLIDING_COUNTER: LazyLock<Script> = script!("sliding_counter");
pub(super) static SLIDING_LOG: LazyLock<Script> = script!("sliding_log");
pub(super) static TOKEN_BUCKET: LazyLock<Script> = script!("token_bucket");

impl Script {
    fn new(text: &'static str) -> Self {
        let digest = RedisScript::new(text).get_hash().to_owned();
        Self { text, digest }
    }

    /// Run it by its digest, which a server may not know.
    pub(super) fn by_digest(&self) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(&self.digest);
        command
    }

    /// Run it by its text, which the server then knows.
    pub(super) fn by_text(&self) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(self.text);
        command
    }
}
