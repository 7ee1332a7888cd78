//! What a cluster's servers say of who is in charge of which slots.

use redis::Value;

use super::connect::Node;

pub(super) const SLOTS: usize = 16_384;

/// Slots, from the first to the last, and their master.
pub(super) type Range = (usize, usize, Node);

/// `7365 127.0.0.1:7003`, as a slot and a node. `asked`: the host that says so, which is meant
/// where none is named.
pub(super) fn redirection(details: &str, asked: &str) -> Option<(usize, Node)> {
    let (slot, address) = details.split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    let slot = slot.parse().ok().filter(|&slot: &usize| slot < SLOTS)?;
    Some((slot, (named(host, asked)?, port.parse().ok()?)))
}

/// The reply to `CLUSTER SLOTS`, unless it is empty.
pub(super) fn ranges(reply: &[Value], asked: &str) -> Option<Vec<Range>> {
    match reply {
        [Value::Array(entries)] if !entries.is_empty() => {
            let ranges = entries.iter().filter_map(|entry| range(entry, asked));
            Some(ranges.collect())
        }
        _ => None,
    }
}

fn range(entry: &Value, asked: &str) -> Option<Range> {
    let Value::Array(items) = entry else {
        return None;
    };
    let number = |value: &Value| match value {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    let [first, last, Value::Array(master), ..] = items.as_slice() else {
        return None;
    };
    let [host, port, ..] = master.as_slice() else {
        return None;
    };
    let host = match host {
        Value::BulkString(host) => named(std::str::from_utf8(host).ok()?, asked)?,
        Value::Nil => named("", asked)?,
        _ => return None,
    };
    let node = (host, u16::try_from(number(port)?).ok()?);
    Some((number(first)?, number(last)?, node))
}

fn named(host: &str, asked: &str) -> Option<String> {
    let host = if host.is_empty() { asked } else { host };
    (!host.is_empty()).then(|| host.to_owned())
}
