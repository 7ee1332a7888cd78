//! Which keys of a server are those of some limiters.

use super::key::KeyNames;

/// The keys of some limiters, and no others.
#[derive(Debug, Clone)]
pub struct Sought(Vec<KeyNames>);

impl Sought {
    /// All of theirs. `None`: there are none, or names do not tell whose they are.
    #[must_use]
    pub fn new(limiters: Vec<KeyNames>) -> Option<Self> {
        let all_begin = limiters.iter().all(|names| names.start().is_some());
        (all_begin && !limiters.is_empty()).then_some(Self(limiters))
    }

    /// What all of them match, and maybe others: a pattern as `SCAN` takes it.
    pub(super) fn pattern(&self) -> Vec<u8> {
        let mut starts = self.0.iter().filter_map(KeyNames::start);
        let mut common = starts.next().unwrap_or_default();
        for start in starts {
            let same = common.iter().zip(&start).take_while(|(a, b)| a == b);
            common.truncate(same.count());
        }
        let mut pattern = Vec::with_capacity(common.len() + 1);
        for byte in common {
            if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\') {
                pattern.push(b'\\');
            }
            pattern.push(byte);
        }
        pattern.push(b'*');
        pattern
    }

    /// Whether a key of that name is one of them.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.0.iter().any(|names| names.has(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(prefix: &str) -> KeyNames {
        KeyNames::new(prefix.into())
    }

    fn tagged(prefix: &str, tag: &str) -> KeyNames {
        KeyNames::together(prefix.into(), Some(tag.into()))
    }

    #[test]
    fn each_has_its_own_keys_and_none_of_anothers() {
        let keys: [&[u8]; 9] = [
            b"k",
            b"",
            b":{k}",
            b"{k}",
            b"k}",
            b"b:{k}",
            b"}:k",
            b"sha256:00",
            &[b'x'; 200],
        ];
        let limiters = [
            own("a"),
            own("a:b"),
            own("a*"),
            own("a?"),
            own("a[b]"),
            own("a\\"),
            own("ab"),
            own("b:a"),
            tagged("a", "chat"),
            tagged("a", "chat:2"),
            tagged("a:b", "chat"),
            tagged("", "chat"),
        ];
        for (place, limiter) in limiters.iter().enumerate() {
            for key in keys {
                let name = limiter.name(key);
                let whose: Vec<_> = (0..limiters.len())
                    .filter(|&other| limiters[other].has(&name))
                    .collect();
                assert_eq!(whose, [place], "{}", String::from_utf8_lossy(&name));
            }
        }
        // They count by one key, on its node, as one that decides alone.
        let by_key = KeyNames::together("a".into(), None);
        assert!(keys.iter().all(|key| own("a").has(&by_key.name(key))));
    }

    #[test]
    fn a_pattern_is_as_long_as_it_may_be_and_means_itself() {
        let pattern = |limiters: &[KeyNames]| {
            let sought = Sought::new(limiters.to_vec()).expect("they begin with something");
            String::from_utf8(sought.pattern()).expect("it is text")
        };
        assert_eq!(pattern(&[own("a")]), "a:{*");
        assert_eq!(pattern(&[own("a*[b]\\?")]), "a\\*\\[b\\]\\\\\\?:{*");
        assert_eq!(pattern(&[own("s:log:x"), own("s:log:y/1")]), "s:log:*");
        assert_eq!(pattern(&[tagged("a", "chat")]), "a:{chat}:*");
        assert_eq!(pattern(&[own("a"), own("b")]), "*");
        assert!(Sought::new(vec![own("a"), own("")]).is_none());
        assert!(Sought::new(Vec::new()).is_none());
    }
}
