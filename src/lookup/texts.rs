//! Many texts in one buffer.

use std::hash::BuildHasher as _;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Different texts, one after the other, each with a number.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<u32>,
    /// By the hash of each text.
    index: HashTable<u32>,
    hasher: RandomState,
}

impl Texts {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        let is_it = |number: &u32| &self.bytes[range(&self.ends, *number)] == text;
        self.index.find(self.hasher.hash_one(text), is_it).copied()
    }

    pub(super) fn last_end(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }

    /// The number of the text that was appended to `bytes`; that of an equal one, if there is one, and then it is removed again.
    pub(super) fn number_of_last(&mut self) -> u32 {
        let start = self.last_end();
        let Self { bytes, ends, index, hasher } = self;
        let new = &bytes[start..];
        let text = |number: u32| &bytes[range(ends, number)];
        match index.entry(hasher.hash_one(new), |known| text(*known) == new, |known| hasher.hash_one(text(*known))) {
            Entry::Occupied(known) => {
                let number = *known.get();
                bytes.truncate(start);
                number
            }
            Entry::Vacant(slot) => {
                let number = offset_of(ends.len());
                slot.insert(number);
                ends.push(offset_of(bytes.len()));
                number
            }
        }
    }

    pub(super) fn index_bytes(&self) -> usize {
        self.index.allocation_size()
    }

    /// Without spare capacity and the index.
    pub(super) fn used_bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<u32>()
    }
}

/// Where a text is that is stored by its end.
pub(super) fn range(ends: &[u32], number: u32) -> Range<usize> {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before] as usize);
    start..ends[number] as usize
}

/// A position in a body, which is far shorter than 4 GiB.
pub(super) fn offset_of(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
