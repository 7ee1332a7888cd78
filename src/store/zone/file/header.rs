//! The first bytes of the file, which say whether it is a zone and whether we can use it.

use super::host::Host;
use super::layout::{HEADER, SET, SLOT, sets};
use crate::store::KeyHasher;

/// How a finished zone begins.
pub(in crate::store::zone) const MAGIC: [u8; 8] = *b"SLUICEZ\0";
/// How one begins that is being made.
pub(in crate::store::zone) const UNFINISHED: [u8; 8] = *b"SLUICEi\0";
/// How much of it is in use.
pub(in crate::store::zone) const LENGTH: usize = 112;
/// Where the offset to Unix time lies, behind the checksum, since it changes.
pub(in crate::store::zone) const OFFSET_AT: u64 = 104;

/// Where it is noted by whose clock the zone is counted; 0, as it is made, is nobody's yet.
pub(in crate::store::zone) const COUNTED_BY_AT: u64 = 112;

const VERSION: u32 = 1;
const BYTE_ORDER: u32 = 0x0102_0304;
const MONOTONIC: u32 = 1;
const CHECKED: usize = 96;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store::zone) struct Header {
    /// Of the file, in bytes.
    pub(in crate::store::zone) length: u64,
    /// Where the states' times mean something.
    pub(in crate::store::zone) host: Host,
    /// By which keys are hashed.
    pub(in crate::store::zone) key: [u64; 2],
    /// When it was made, in Unix nanoseconds.
    pub(in crate::store::zone) created: u64,
}

/// Why there is no header that we can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::zone) enum Fault {
    /// The file is empty, or whoever began to make a zone of it has died.
    Unfinished,
    /// It is something else.
    NoZone,
    /// Another version of sluicegate, or another processor, has made it.
    OtherLayout,
    /// It was cut or written to.
    Damaged,
}

impl Header {
    /// Its bytes, with the offset to Unix time.
    pub(in crate::store::zone) fn encode(&self, unix_offset: i64) -> [u8; LENGTH] {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(MAGIC);
        let sizes = [HEADER as u32, 64, SLOT as u32];
        for number in [VERSION, BYTE_ORDER, sizes[0], sizes[1], sizes[2], MONOTONIC] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend(self.length.to_ne_bytes());
        bytes.extend(sets(self.length).to_ne_bytes());
        bytes.extend(self.host.boot);
        for number in [
            self.host.time_namespace,
            self.key[0],
            self.key[1],
            self.created,
        ] {
            bytes.extend(number.to_ne_bytes());
        }
        let sum = checksum(&bytes);
        bytes.extend(sum.to_ne_bytes());
        bytes.extend(unix_offset.to_ne_bytes());
        bytes.try_into().expect("as long as it is declared")
    }

    /// What a file that begins with these bytes says.
    pub(in crate::store::zone) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.is_empty() || bytes.starts_with(&UNFINISHED) {
            return Err(Fault::Unfinished);
        }
        if !bytes.starts_with(&MAGIC) {
            return Err(Fault::NoZone);
        }
        let bytes: &[u8; LENGTH] = bytes.first_chunk().ok_or(Fault::Damaged)?;
        let number = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("8"));
        let small = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4"));
        let layout = [
            small(8),
            small(12),
            small(16),
            small(20),
            small(24),
            small(28),
        ];
        let ours = [
            VERSION,
            BYTE_ORDER,
            HEADER as u32,
            64,
            SLOT as u32,
            MONOTONIC,
        ];
        if layout != ours {
            return Err(Fault::OtherLayout);
        }
        let length = number(32);
        if checksum(&bytes[..CHECKED]) != number(CHECKED) || sets(length) != number(40) {
            return Err(Fault::Damaged);
        }
        Ok(Self {
            length,
            host: Host {
                boot: bytes[48..64].try_into().expect("16"),
                time_namespace: number(64),
            },
            key: [number(72), number(80)],
            created: number(88),
        })
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let hasher = KeyHasher::keyed([u64::from_ne_bytes(MAGIC), SET]);
    hasher.fingerprint(bytes).hash()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            length: 10 << 20,
            host: Host {
                boot: [7; 16],
                time_namespace: 4_026_531_834,
            },
            key: [1, 2],
            created: 1_795_000_000_000_000_000,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = header().encode(-5);
        assert_eq!(Header::decode(&bytes), Ok(header()));
        assert_eq!(bytes[OFFSET_AT as usize..], (-5i64).to_ne_bytes());
    }

    #[test]
    fn every_bit_that_is_wrong_is_seen() {
        let bytes = header().encode(0);
        for bit in 0..8 * OFFSET_AT as usize {
            let mut wrong = bytes;
            wrong[bit / 8] ^= 1 << (bit % 8);
            let fault = Header::decode(&wrong).unwrap_err();
            let expected = match bit / 8 {
                0..8 => Fault::NoZone,
                8..32 => Fault::OtherLayout,
                _ => Fault::Damaged,
            };
            assert_eq!(fault, expected, "bit {bit}");
        }
        for cut in 8..LENGTH {
            assert_eq!(Header::decode(&bytes[..cut]), Err(Fault::Damaged));
        }
        assert_eq!(Header::decode(&[]), Err(Fault::Unfinished));
        assert_eq!(Header::decode(&UNFINISHED), Err(Fault::Unfinished));
        assert_eq!(Header::decode(&[0; 4096]), Err(Fault::NoZone));
    }
}
