//! The units of the parts before the newest, in few bytes.

use std::iter;

/// Oldest first. A byte tells how many parts before the newest the oldest is. Then comes a number
/// for each part that is in use: 7 bits a byte, the lowest first, and all bytes but the last with
/// the high bit. Behind it stand a 0 and how many, if parts follow that nobody used.
#[derive(Debug, Clone, Default)]
pub(super) struct Older(Box<[u8]>);

/// A part that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// So many parts before the newest.
    pub(super) back: u8,
    pub(super) units: u32,
    /// Where the next one stands, and its `back`.
    pub(super) after: usize,
    pub(super) next_back: u8,
}

/// Write the units of a part that is followed by `unused` others.
fn write(bytes: &mut Vec<u8>, mut units: u32, unused: u8) {
    while units >= 128 {
        bytes.push(units as u8 | 128);
        units >>= 7;
    }
    bytes.push(units as u8);
    if unused > 0 {
        bytes.extend([0, unused]);
    }
}

fn written(units: u32, unused: u8) -> usize {
    let bits = units.ilog2() as usize + 1;
    bits.div_ceil(7) + 2 * usize::from(unused > 0)
}

impl Older {
    /// How many parts before the newest the oldest is; 0 if there is only the newest.
    #[inline]
    pub(super) fn back(&self) -> u8 {
        self.0.first().copied().unwrap_or(0)
    }

    fn bytes(&self) -> &[u8] {
        self.0.get(1..).unwrap_or(&[])
    }

    fn read(&self, at: usize, back: u8) -> Option<Part> {
        let mut bytes = self.bytes().get(at..)?.iter();
        let (mut units, mut shift) = (0, 0);
        loop {
            let byte = *bytes.next()?;
            units |= u32::from(byte & 127) << shift;
            if byte < 128 {
                break;
            }
            shift += 7;
        }
        let mut unused = 0;
        if let [0, parts, ..] = *bytes.as_slice() {
            unused = parts;
            bytes.nth(1);
        }
        Some(Part {
            back,
            units,
            after: self.bytes().len() - bytes.len(),
            next_back: back - 1 - unused,
        })
    }

    /// The parts, oldest first.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = Part> + '_ {
        iter::successors(self.read(0, self.back()), |part| {
            self.read(part.after, part.next_back)
        })
    }

    /// Forget what stands before `first`; the oldest is now `back` parts before the newest.
    pub(super) fn forget(&mut self, first: usize, back: u8) {
        if first > 0 {
            self.rewrite(first, back, None);
        }
    }

    /// The same; and what was the newest part, of so many units, is now `ahead` parts behind.
    pub(super) fn append(&mut self, first: usize, back: u8, units: u32, ahead: u8) {
        self.rewrite(first, back + ahead, Some((units, ahead - 1)));
    }

    /// The block is as large as what it holds: it moves once a part, not once a call.
    fn rewrite(&mut self, first: usize, back: u8, part: Option<(u32, u8)>) {
        let kept = &self.bytes()[first..];
        let more = part.map_or(0, |(units, unused)| written(units, unused));
        if kept.len() + more == 0 {
            *self = Self::default();
            return;
        }
        let mut bytes = Vec::with_capacity(1 + kept.len() + more);
        bytes.push(back);
        bytes.extend_from_slice(kept);
        if let Some((units, unused)) = part {
            write(&mut bytes, units, unused);
        }
        self.0 = bytes.into_boxed_slice();
    }

    /// Take units out, the oldest first; tells how many are left to be taken from the newest part.
    pub(super) fn take_oldest(&mut self, mut units: u32) -> u32 {
        let (mut first, mut back) = (0, self.back());
        while let Some(part) = self.read(first, back) {
            if units < part.units {
                self.replace(part, part.units - units);
                return 0;
            }
            units -= part.units;
            (first, back) = (part.after, part.next_back);
        }
        *self = Self::default();
        units
    }

    /// Parts by how far they are before the newest, oldest first, with their units.
    pub(super) fn of(parts: impl Iterator<Item = (u8, u32)>) -> Self {
        let mut parts = parts.peekable();
        let mut bytes: Vec<u8> = parts.peek().map(|part| part.0).into_iter().collect();
        while let Some((back, units)) = parts.next() {
            let next = parts.peek().map_or(0, |part| part.0);
            write(&mut bytes, units, back - 1 - next);
        }
        Self(bytes.into_boxed_slice())
    }

    /// Let a part, now the oldest, have `units`.
    fn replace(&mut self, part: Part, units: u32) {
        let unused = part.back - 1 - part.next_back;
        let rest = &self.bytes()[part.after..];
        let mut bytes = Vec::with_capacity(1 + written(units, unused) + rest.len());
        bytes.push(part.back);
        write(&mut bytes, units, unused);
        bytes.extend_from_slice(rest);
        self.0 = bytes.into_boxed_slice();
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }
}
