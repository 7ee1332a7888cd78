//! Which server of a cluster owns which slots, as the servers say.

use redis::Value;

use super::address::Node;

pub(super) const SLOTS: usize = 16_384;

/// Slots, from the first to the last, and their master.
pub(super) type Range = (usize, usize, Node);

/// The slot of a key in a cluster (CRC-16/XMODEM of its tag, as the specification has it).
pub(super) fn slot(name: &[u8]) -> u16 {
    let tag = name.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = &name[open + 1..];
        let close = rest.iter().position(|&byte| byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    let mut crc: u16 = 0;
    for &byte in tag.unwrap_or(name) {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
        }
    }
    crc % 16_384
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::key::name;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(slot(b"123456789"), 0x31C3);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_ne!(slot(b"foo{}{bar}"), slot(b"bar"));
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
    }

    #[test]
    fn braces_of_a_key_do_not_move_it() {
        assert_ne!(slot(&name("p", b"a}b")), slot(&name("p", b"a}c")));
    }
}
