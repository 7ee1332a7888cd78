//! What a server's error means, however its version words it.

use redis::{ServerError, Value};

use super::settings::Topology;
use crate::store::redis::answer::Failure;
use crate::store::redis::request::Said;

/// The code of an error. Redis before 7 wraps what a script meets: `ERR Error running script (call
/// to f_…): @user_script:1: @user_script: 1: -READONLY You can't write against …`.
pub(super) fn code(error: &ServerError) -> &str {
    let text = wrapped(error).unwrap_or_else(|| error.code());
    text.split(' ').next().unwrap_or(text)
}

/// What the server said, without what it is wrapped in.
fn message(error: &ServerError) -> String {
    match (wrapped(error), error.details()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(details)) => format!("{} {details}", error.code()),
        (None, None) => error.code().to_owned(),
    }
}

/// A reply, unless it is an error.
pub(super) fn without_error(reply: Value) -> Said {
    match reply {
        Value::ServerError(error) => Err(Failure::Refused(message(&error))),
        reply => Ok(reply),
    }
}

fn wrapped(error: &ServerError) -> Option<&str> {
    let details = error
        .details()
        .filter(|details| error.code() == "ERR" && details.starts_with("Error running script"))?;
    // The script's own name and line come first, some of them twice.
    let (_, text) = details.split_once(": -")?;
    let code = text.split(' ').next()?;
    code.bytes()
        .all(|letter| letter.is_ascii_uppercase())
        .then_some(text)
}

/// Why the server that gave this reply is the wrong one to ask, if it is.
///
/// Others refuse a call and stay: one that cannot save (`MISCONF`), is out of memory (`OOM`) or
/// runs a long script (`BUSY`) is still in charge of its keys. So is one with too few replicas
/// (`NOREPLICAS`), unless sentinels may have made another the primary on their side of the network.
pub(super) fn is_of_no_use(reply: &Value, topology: Topology) -> Option<&'static str> {
    let Value::ServerError(error) = reply else {
        return None;
    };
    match code(error) {
        "READONLY" => Some("the server is a read-only replica"),
        "MASTERDOWN" => Some("the server is a replica that has lost its primary"),
        "LOADING" => Some("the server is loading its data"),
        "NOREPLICAS" if topology == Topology::Sentinel => Some("the primary has too few replicas"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn reply(line: &str) -> Value {
        parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap()
    }

    fn code_of(line: &str) -> String {
        match reply(line) {
            Value::ServerError(error) => code(&error).to_owned(),
            other => panic!("{other:?}"),
        }
    }

    /// As Redis 6.2, 7.0 and 7.4 and Valkey 7.2 and 8.1 say it.
    const LINES: [(&str, &str); 13] = [
        (
            "READONLY",
            "READONLY You can't write against a read only replica.",
        ),
        (
            "READONLY",
            "ERR Error running script (call to f_0a1b): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica. ",
        ),
        (
            "READONLY",
            "READONLY You can't write against a read only replica. script: 0a1b, on @user_script:1.",
        ),
        (
            "MASTERDOWN",
            "MASTERDOWN Connection with MASTER is down and replica-serve-stale-data is set to 'no'.",
        ),
        ("LOADING", "LOADING Redis is loading the dataset in memory"),
        ("LOADING", "LOADING Valkey is loading the dataset in memory"),
        (
            "MISCONF",
            "ERR Error running script (call to f_0a1b): @user_script:7: @user_script: 7: -MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.",
        ),
        (
            "OOM",
            "ERR Error running script (call to f_0a1b): @user_script:7: @user_script: 7: -OOM command not allowed when used memory > 'maxmemory'. ",
        ),
        (
            "OOM",
            "OOM command not allowed when used memory > 'maxmemory'. script: 0a1b, on @user_script:7.",
        ),
        (
            "BUSY",
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        ),
        (
            "NOREPLICAS",
            "NOREPLICAS Not enough good replicas to write.",
        ),
        (
            "ERR",
            "ERR Error running script (call to f_0a1b): @user_script:1: user_script:1: attempt to compare nil with number ",
        ),
        (
            "WRONGTYPE",
            "ERR Error running script (call to f_0a1b): @user_script:1: @user_script: 1: -WRONGTYPE Operation against a key holding the wrong kind of value ",
        ),
    ];

    #[test]
    fn every_version_means_the_same() {
        for (code, line) in LINES {
            assert_eq!(code_of(line), code, "{line}");
        }
    }

    #[test]
    fn only_the_wrong_server_is_left() {
        for (code, line) in LINES {
            let is_left = is_of_no_use(&reply(line), Topology::Standalone).is_some();
            assert_eq!(
                is_left,
                ["READONLY", "MASTERDOWN", "LOADING"].contains(&code),
                "{line}"
            );
            let is_left = is_of_no_use(&reply(line), Topology::Sentinel).is_some();
            let left = ["READONLY", "MASTERDOWN", "LOADING", "NOREPLICAS"];
            assert_eq!(is_left, left.contains(&code), "{line}");
        }
    }

    #[test]
    fn what_it_says_is_unwrapped() {
        let Value::ServerError(error) = reply(LINES[1].1) else {
            unreachable!()
        };
        assert!(message(&error).starts_with("READONLY You can't write"));
        let Value::ServerError(error) = reply(LINES[0].1) else {
            unreachable!()
        };
        assert_eq!(message(&error), LINES[0].1);
    }
}
