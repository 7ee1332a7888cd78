//! The script of several limits: every algorithm's look and spend in one, whatever is combined.

use std::sync::{Arc, LazyLock};

use super::script::Script;

macro_rules! fragments {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("scripts/fragments/", $file, ".lua"))),+)
    };
}

/// What decides for all limits of a call. Servers get to know it once there is a gate.
pub static GATE: LazyLock<Arc<Script>> = LazyLock::new(|| Script::known(text()));

/// An algorithm in it.
struct Branch {
    /// By which a call names it.
    kind: &'static str,
    /// How many words its quota has, in Lua.
    words: &'static str,
    look: &'static str,
    /// What it keeps of the units that are spent anyway, and from before it spends.
    prepare: &'static str,
    spend: &'static str,
    answer: &'static str,
}

const WINDOW: &str = include_str!("scripts/gate/window.lua");

/// What two quotas have room for beyond what is used; segments and buckets see to it themselves.
macro_rules! within_debt {
    ($used:literal) => {
        concat!(
            "if op == 'a' then units = math.max(math.min(units, math.min(2 * limit, 2^32 - 1) - ",
            $used,
            "), 0) end\n"
        )
    };
}

/// The most frequent first.
const BRANCHES: [Branch; 7] = [
    Branch {
        kind: "l",
        words: "2",
        look: fragments!("sliding_log_state", "sliding_log_look"),
        prepare: within_debt!("used"),
        spend: fragments!("sliding_log_spend"),
        answer: WINDOW,
    },
    Branch {
        kind: "b",
        words: "3",
        look: fragments!("token_bucket_state", "token_bucket_look"),
        prepare: "local before = missing\n",
        spend: fragments!("token_bucket_spend", "write"),
        answer: include_str!("scripts/gate/bucket.lua"),
    },
    Branch {
        kind: "s",
        words: "2",
        look: fragments!(
            "segmented_window_state",
            "segmented_window_look",
            "segmented_window_verdict"
        ),
        prepare: "",
        spend: fragments!(
            "segmented_window_spend",
            "segmented_window_written",
            "write"
        ),
        answer: WINDOW,
    },
    Branch {
        kind: "f",
        words: "2",
        look: fragments!("fixed_window_state", "aligned", "fixed_window_look"),
        prepare: within_debt!("used"),
        spend: fragments!("fixed_window_spend", "write"),
        answer: WINDOW,
    },
    Branch {
        kind: "p",
        words: "3",
        look: fragments!("permits_look"),
        prepare: "local ARGV, at = sent, ARGV[at + 2] - 2 -- its ids\n",
        spend: fragments!("permits_spend"),
        answer: WINDOW,
    },
    Branch {
        kind: "d",
        words: "6",
        look: fragments!("fixed_window_state", "calendar", "fixed_window_look"),
        prepare: within_debt!("used"),
        spend: fragments!("fixed_window_spend", "write"),
        answer: WINDOW,
    },
    Branch {
        kind: "c",
        words: "2",
        look: fragments!("sliding_counter_state", "aligned", "sliding_counter_look"),
        prepare: within_debt!("current"),
        spend: fragments!("sliding_counter_spend", "sliding_counter_written", "write"),
        answer: WINDOW,
    },
];

fn text() -> String {
    let mut text = include_str!("scripts/gate/head.lua").to_owned();
    let mut word = "if";
    for branch in BRANCHES {
        text += &branch.text(word);
        word = "elseif";
    }
    text + include_str!("scripts/gate/tail.lua")
}

impl Branch {
    /// A limit that fits and is not spent from stays as it is; one that refuses puts right what a clock
    /// that was set back has left.
    fn text(&self, word: &str) -> String {
        let Self {
            kind,
            words,
            look,
            prepare,
            spend,
            answer,
        } = self;
        let others = include_str!("scripts/gate/others.lua");
        format!(
            "{word} kind == '{kind}' then\n{look}\
             if role == 'e' and room < 0 then refused = true end\n\
             local halted, told = ask(index + 1, at + {words})\n{others}{prepare}\
             if units > 0 or room < 0 then\n{spend}end\n{answer}"
        )
    }
}
