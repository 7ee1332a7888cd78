//! What a key is called in Redis.

use ring::digest::{SHA256, digest};

/// A name is at most so long; a key that would make it longer is named by its digest.
const LONGEST: usize = 128;

/// How a limiter's keys are named.
#[derive(Debug, Clone)]
pub struct KeyNames {
    prefix: String,
    tag: Tag,
}

/// What decides on a key's node in a Cluster.
#[derive(Debug, Clone)]
enum Tag {
    /// The key: `prefix:{key}`. An empty one decides nothing, and the whole name does.
    Key,
    /// The same of any key, so that several limits that count by one are on its node.
    AnyKey,
    /// `prefix:{tag}:key`, all on one node.
    Text(String),
}

impl KeyNames {
    /// Of a limiter that decides alone.
    #[must_use]
    pub fn new(prefix: String) -> Self {
        let tag = Tag::Key;
        Self { prefix, tag }
    }

    /// Of one that decides with others, which all have this tag; without one they count by the same key.
    #[must_use]
    pub fn together(prefix: String, tag: Option<String>) -> Self {
        let tag = tag.map_or(Tag::AnyKey, Tag::Text);
        Self { prefix, tag }
    }

    /// What the names begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What all names begin with, or `None` where a key's name may be the key alone.
    pub(super) fn start(&self) -> Option<Vec<u8>> {
        match (&self.tag, &*self.prefix) {
            (Tag::Text(tag), prefix) => Some(format!("{prefix}:{{{tag}}}:").into()),
            (_, "") => None,
            (_, prefix) => Some(format!("{prefix}:{{").into()),
        }
    }

    /// Whether it is the name of one of its keys, and not of another limiter's whose names begin alike.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        let start = self.start();
        let rest = start.and_then(|start| name.strip_prefix(&*start));
        match (&self.tag, rest) {
            (_, None) => false,
            (Tag::Text(_), Some(_)) => true,
            (_, Some(rest)) => {
                rest.iter().position(|byte| matches!(byte, b'{' | b'}'))
                    == rest.len().checked_sub(1)
                    && rest.ends_with(b"}")
            }
        }
    }

    pub(super) fn name(&self, key: &[u8]) -> Vec<u8> {
        match (&self.tag, &*self.prefix) {
            (Tag::Text(tag), prefix) => tagged(&format!("{prefix}:{{{tag}}}:"), key),
            (Tag::AnyKey, prefix) if key.is_empty() => name(prefix, b"sha256:"),
            (_, prefix) => name(prefix, key),
        }
    }
}

/// Braces of the key's own come too late to decide on its slot.
fn tagged(start: &str, key: &[u8]) -> Vec<u8> {
    let mut name = start.as_bytes().to_vec();
    if start.len() + key.len() <= LONGEST && !key.starts_with(b"sha256:") {
        name.extend_from_slice(key);
    } else {
        add_digest(&mut name, key);
    }
    name
}

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
        add_digest(&mut name, key);
    }
    name.push(b'}');
    name
}

fn add_digest(name: &mut Vec<u8>, key: &[u8]) {
    name.extend_from_slice(b"sha256:");
    for byte in &digest(&SHA256, key).as_ref()[..20] {
        name.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
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

    #[test]
    fn a_tag_is_the_only_thing_that_decides_on_the_slot() {
        let own = KeyNames::new("p".into());
        let chat = KeyNames::together("p".into(), Some("chat".into()));
        let by_key = KeyNames::together("p".into(), None);
        assert_eq!(own.name(b"a"), by_key.name(b"a"));
        assert_eq!(own.name(b""), b"p:{}");
        assert!(by_key.name(b"").starts_with(b"p:{sha256:"));
        assert_eq!(chat.name(b"a"), b"p:{chat}:a");
        assert_eq!(chat.name(b"{b}"), b"p:{chat}:{b}");
        let long = chat.name(&[b'x'; 200]);
        assert!(long.starts_with(b"p:{chat}:sha256:") && long.len() < 128);
        assert_ne!(chat.name(&long[b"p:{chat}:".len()..]), long);
    }
}
