//! The scripts, and what is sent to run one.

use std::sync::{Arc, LazyLock, Mutex};

use redis::{Cmd, Pipeline, Script as RedisScript, cmd};

use crate::store::fork::locked_now;

/// A script with its digest, by which a server knows it.
pub struct Script {
    text: String,
    digest: String,
}

macro_rules! fragments {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("scripts/fragments/", $file, ".lua"))),+)
    };
}

pub(super) static FIXED_WINDOW: LazyLock<Script> = LazyLock::new(|| {
    Script::single(
        fragments!("fixed_window_state", "aligned", "fixed_window_look"),
        fragments!("fixed_window_spend", "write"),
    )
});
pub(super) static CALENDAR_WINDOW: LazyLock<Script> = LazyLock::new(|| {
    Script::single(
        fragments!("fixed_window_state", "calendar", "fixed_window_look"),
        fragments!("fixed_window_spend", "write"),
    )
});
pub(super) static SEGMENTED_WINDOW: LazyLock<Script> = LazyLock::new(|| {
    Script::single(
        fragments!(
            "segmented_window_state",
            "segmented_window_look",
            "segmented_window_verdict"
        ),
        fragments!(
            "segmented_window_spend",
            "segmented_window_written",
            "write"
        ),
    )
});
pub(super) static SLIDING_COUNTER: LazyLock<Script> = LazyLock::new(|| {
    Script::single(
        fragments!("sliding_counter_state", "aligned", "sliding_counter_look"),
        fragments!("sliding_counter_spend", "sliding_counter_written", "write"),
    )
});
pub(super) static SLIDING_LOG: LazyLock<Script> = LazyLock::new(|| {
    Script::single(
        fragments!("sliding_log_state", "sliding_log_look"),
        fragments!("sliding_log_spend"),
    )
});
pub(super) static TOKEN_BUCKET: LazyLock<Script> = LazyLock::new(|| {
    Script::ending(
        fragments!("token_bucket_state", "token_bucket_look"),
        fragments!("token_bucket_spend", "write"),
        include_str!("scripts/bucket_tail.lua"),
    )
});

pub(super) static PERMITS: LazyLock<Script> =
    LazyLock::new(|| Script::single(fragments!("permits_look"), fragments!("permits_spend")));
/// Begins leases anew. It is no decision: it answers for each of many holders.
pub(super) static PERMITS_RENEW: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/permits_renew.lua").to_owned()));

pub(super) static FIXED_WINDOW_RECEIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::receipt(fragments!(
        "fixed_window_state",
        "aligned",
        "fixed_window_look",
        "fixed_window_receipt",
        "fixed_window_spend",
        "write"
    ))
});
pub(super) static CALENDAR_WINDOW_RECEIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::receipt(fragments!(
        "fixed_window_state",
        "calendar",
        "fixed_window_look",
        "fixed_window_receipt",
        "fixed_window_spend",
        "write"
    ))
});
pub(super) static SEGMENTED_WINDOW_RECEIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::receipt(fragments!(
        "segmented_window_state",
        "segmented_window_look",
        "segmented_window_receipt",
        "segmented_window_written",
        "write"
    ))
});
pub(super) static SLIDING_COUNTER_RECEIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::receipt(fragments!(
        "sliding_counter_state",
        "aligned",
        "sliding_counter_look",
        "sliding_counter_receipt",
        "sliding_counter_written",
        "write"
    ))
});
pub(super) static SLIDING_LOG_RECEIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::receipt(fragments!(
        "sliding_log_state",
        "sliding_log_look",
        "sliding_log_receipt"
    ))
});
pub(super) static TOKEN_BUCKET_RECEIPT: LazyLock<Script> = LazyLock::new(|| {
    Script::receipt(fragments!(
        "token_bucket_state",
        "token_bucket_look",
        "token_bucket_receipt",
        "token_bucket_spend",
        "write"
    ))
});

/// Scripts of circuits, and what `ping` tries.
static OTHERS: Mutex<Vec<Arc<Script>>> = Mutex::new(Vec::new());

/// Have a server know all scripts.
pub(super) fn load_all(pipeline: &mut Pipeline) {
    let mut load = |script: &Script| {
        pipeline.cmd("SCRIPT").arg("LOAD").arg(script.text());
    };
    for script in [
        &FIXED_WINDOW,
        &CALENDAR_WINDOW,
        &SEGMENTED_WINDOW,
        &SLIDING_COUNTER,
        &SLIDING_LOG,
        &TOKEN_BUCKET,
        &PERMITS,
        &PERMITS_RENEW,
        &FIXED_WINDOW_RECEIPT,
        &CALENDAR_WINDOW_RECEIPT,
        &SEGMENTED_WINDOW_RECEIPT,
        &SLIDING_COUNTER_RECEIPT,
        &SLIDING_LOG_RECEIPT,
        &TOKEN_BUCKET_RECEIPT,
    ] {
        load(script);
    }
    for script in &*locked_now(&OTHERS) {
        load(script);
    }
}

impl Script {
    /// A script of that text, which servers that are connected from now on get to know.
    #[must_use]
    pub fn known(text: String) -> Arc<Self> {
        let script = Arc::new(Self::new(text));
        locked_now(&OTHERS).push(Arc::clone(&script));
        script
    }

    /// For one key: an algorithm's look and spend, and between them how much the mode spends.
    fn single(look: &str, spend: &str) -> Self {
        Self::ending(look, spend, include_str!("scripts/tail.lua"))
    }

    /// The same with a `tail` of its own, which tells what came of it.
    fn ending(look: &str, spend: &str, tail: &str) -> Self {
        let head = include_str!("scripts/head.lua");
        let units = include_str!("scripts/units.lua");
        Self::new([head, look, units, spend, tail].concat())
    }

    /// Gives back what one call has spent: an algorithm's look, and what it does with a receipt.
    fn receipt(look_and_receipt: &str) -> Self {
        let head = include_str!("scripts/head.lua");
        let receipt = include_str!("scripts/receipt.lua");
        Self::new([head, receipt, look_and_receipt, "return 0\n"].concat())
    }

    fn new(text: String) -> Self {
        let digest = RedisScript::new(&text).get_hash().to_owned();
        Self { text, digest }
    }

    /// What a server runs.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Run it by its digest, which a server may not know, or by its text, which it then knows.
    #[must_use]
    pub fn command(&self, by_text: bool) -> Cmd {
        let mut command = cmd(if by_text { "EVAL" } else { "EVALSHA" });
        command.arg(if by_text { &self.text } else { &self.digest });
        command
    }
}
