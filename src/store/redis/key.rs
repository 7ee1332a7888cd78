//! What a key is called in Redis.

use ring::digest::{SHA256, digest};

/// A name is at most so long; a key that would make it longer is named by its digest.
const LONGEST: usize = 128;

/// `prefix:{key}`, or the key alone if there is no prefix.
///
/// The braces make the whole key decide on its slot in a cluster. A key with braces of its own
/// must not: it is named by its digest, and so is a long one.
pub(super) fn name(prefix: &str, key: &[u8]) -> Vec<u8> {
    let length = prefix.len() + key.len() + b":{}".len();
    let plain = length <= LONGEST && !key.iter().any(|byte| matches!(byte, b'{' | b'}'));
    let mut name = Vec::with_capacity(length.min(LONGEST));
    if plain && prefix.is_empty() && !key.is_empty() && !key.starts_with(b"sha256:") {
        name.extend_from_slice(key);
        return name;
    }
    name.extend_from_slice(prefix.as_bytes());
    name.extend_from_slice(b":{");
    if plain && !key.starts_with(b"sha256:") {
        name.extend_from_slice(key);
    } else {
        name.extend_from_slice(b"sha256:");
        for byte in &digest(&SHA256, key).as_ref()[..20] {
            name.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
    }
    name.push(b'}');
    name
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(slot(b"123456789"), 0x31C3);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_ne!(slot(b"foo{}{bar}"), slot(b"bar"));
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
    }

    #[test]
    fn no_two_keys_share_a_name() {
        let keys: [&[u8]; 8] = [
            b"",
            b"a",
            b"a}b",
            b"{a}",
            b"a{",
            &[b'x'; 200],
            &[b'x'; 201],
            b"sha256:00",
        ];
        for prefix in ["", "p"] {
            let names: Vec<_> = keys.iter().map(|key| name(prefix, key)).collect();
            for (index, one) in names.iter().enumerate() {
                assert!(one.len() <= 128 && !names[index + 1..].contains(one));
            }
        }
        assert_eq!(name("p", b"a"), b"p:{a}");
        assert_eq!(name("", b"0123456789abcdef"), b"0123456789abcdef");
        assert_ne!(slot(&name("p", b"a}b")), slot(&name("p", b"a}c")));
    }
}
