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

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
