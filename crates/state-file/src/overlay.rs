//! A read-only file with changes in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// redb's page size: the unit of changes.
const BLOCK: usize = 4096;

/// The storage of a database that is checked. A repair writes a few pages, none of them to the file.
pub(super) struct Overlay {
    file: File,
    changed: Mutex<Changed>,
}

struct Changed {
    len: u64,
    /// How much of the file is valid; less than all after it was shortened.
    stored: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
}

impl Overlay {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, changed: Mutex::new(Changed { len, stored: len, blocks: BTreeMap::new() }) })
    }

    fn changed(&self) -> MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from the file, and zeros behind its end.
    fn read_stored(&self, stored: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let known = usize::try_from(stored.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (known, rest) = out.split_at_mut(known);
        rest.fill(0);
        self.file.read_exact_at(known, offset)
    }
}

/// Splits a range by blocks: the block's number, the offset in the block, and the part of the range.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == len {
            return None;
        }
        let position = offset + at as u64;
        let within = usize::try_from(position % BLOCK as u64).unwrap_or_default();
        let part = at..len.min(at + BLOCK - within);
        at = part.end;
        Some((position / BLOCK as u64, within, part))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.changed().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changed = self.changed();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > changed.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (block, within, part) in parts(offset, out.len()) {
            let (start, length) = (offset + part.start as u64, part.len());
            match changed.blocks.get(&block) {
                Some(bytes) => out[part].copy_from_slice(&bytes[within..within + length]),
                None => self.read_stored(changed.stored, start, &mut out[part])?,
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut changed = self.changed();
        changed.stored = changed.stored.min(len);
        let (last, within) = (len / BLOCK as u64, usize::try_from(len % BLOCK as u64).unwrap_or_default());
        changed.blocks.retain(|block, _| *block < last || (*block == last && within > 0));
        if let Some(bytes) = changed.blocks.get_mut(&last) {
            bytes[within..].fill(0);
        }
        changed.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changed = self.changed();
        for (block, within, part) in parts(offset, data.len()) {
            let length = part.len();
            if !changed.blocks.contains_key(&block) {
                let mut bytes = Box::new([0; BLOCK]);
                self.read_stored(changed.stored, block * BLOCK as u64, &mut bytes[..])?;
                changed.blocks.insert(block, bytes);
            }
            if let Some(bytes) = changed.blocks.get_mut(&block) {
                bytes[within..within + length].copy_from_slice(&data[part]);
            }
        }
        changed.len = changed.len.max(offset + data.len() as u64);
        Ok(())
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Overlay").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn changes_are_read_and_the_file_stays_as_it_is() {
        let mut file = tempfile::tempfile().unwrap();
        let stored: Vec<u8> = (0..3 * BLOCK + 7).map(|index| u8::try_from(index % 251).unwrap()).collect();
        file.write_all(&stored).unwrap();
        let (overlay, mut plain) = (Overlay::new(file.try_clone().unwrap()).unwrap(), stored.clone());
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let at = random.usize(0..plain.len());
            let length = random.usize(0..=(plain.len() - at).min(2 * BLOCK));
            match random.u8(0..8) {
                0 => {
                    let len = random.usize(1..5 * BLOCK);
                    overlay.set_len(len as u64).unwrap();
                    plain.resize(len, 0);
                }
                1..=3 => {
                    let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
                    overlay.write(at as u64, &bytes).unwrap();
                    plain[at..at + length].copy_from_slice(&bytes);
                }
                _ => {
                    let mut read = vec![1; length];
                    overlay.read(at as u64, &mut read).unwrap();
                    assert!(read == plain[at..at + length], "{length} at {at}");
                }
            }
            assert_eq!(overlay.len().unwrap(), plain.len() as u64);
        }
        assert!(overlay.read(plain.len() as u64, &mut [0]).is_err() && overlay.read(u64::MAX, &mut [0]).is_err());
        let mut whole = vec![0; stored.len()];
        file.read_exact_at(&mut whole, 0).unwrap();
        assert!(whole == stored && file.metadata().unwrap().len() == stored.len() as u64);
    }
}
