//! What a zone has to know of the machine that it lies in.

use std::fs;
use std::io;

use crate::store::zone::refusal::Refusal;

/// A boot of a machine, and whose time it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::zone) struct Host {
    /// The same in all containers of a host, and another one after each start of it.
    pub(in crate::store::zone) boot: [u8; 16],
    /// Its inode; 0 where the kernel has none.
    pub(in crate::store::zone) time_namespace: u64,
}

impl Host {
    /// The one that this process runs on.
    pub(in crate::store::zone) fn here() -> Result<Self, Refusal> {
        const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
        let boot = fs::read_to_string(BOOT_ID).and_then(|text| parsed(&text));
        let boot = boot.map_err(|error| {
            Refusal::Environment(format!(
                "a zone needs {BOOT_ID}, by which it knows a restart of the machine: {error}; \
                 mount /proc, or use limiters in memory or in Redis"
            ))
        })?;
        Ok(Self {
            boot,
            time_namespace: time_namespace(),
        })
    }
}

fn parsed(text: &str) -> io::Result<[u8; 16]> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16)
        .map(u128::to_be_bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a number"))
}

fn time_namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self/ns/time").map_or(0, |namespace| namespace.ino())
}
