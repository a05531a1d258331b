//! The tables of lines and of puts, within a transaction.

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::{Entry, State};

/// A line's key: its state, and since when, in milliseconds since 1970.
const LINES: TableDefinition<u128, (u8, u64)> = TableDefinition::new("lines");

/// A record's content key and the start of a call: the call's end, the run, and how many such records have not failed again.
const PUTS: TableDefinition<(u128, u64), (u64, u64, u32)> = TableDefinition::new("puts");

/// The largest difference to Firehose's clock: AWS refuses a signature of another time (IAM user guide, "AWS Signature Version 4").
pub(super) const MAX_SKEW_MS: u64 = 5 * 60 * 1000;

pub(super) struct Tables<'a> {
    pub(super) lines: Table<'a, u128, (u8, u64)>,
    pub(super) puts: Table<'a, (u128, u64), (u64, u64, u32)>,
}

impl<'a> Tables<'a> {
    pub(super) fn open(begun: &'a WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self { lines: begun.open_table(LINES)?, puts: begun.open_table(PUTS)? })
    }

    /// An unknown line has no entry.
    pub(super) fn set(&mut self, line: u128, state: State, at_ms: u64) -> Result<(), redb::Error> {
        match state {
            State::Unknown => drop(self.lines.remove(line)?),
            stored => drop(self.lines.insert(line, (stored as u8, at_ms))?),
        }
        Ok(())
    }

    /// Takes one record off a put that may have come back as this one, or as an equal one.
    pub(super) fn take_matching_put(&mut self, entry: &Entry, first_run: u64) -> Result<bool, redb::Error> {
        let arrival = entry.arrival_ms.and_then(|arrival| u64::try_from(arrival).ok());
        let latest = arrival.map_or(u64::MAX, |arrival| arrival.saturating_add(MAX_SKEW_MS));
        let mut found = None;
        for put in self.puts.range((entry.content, 0)..=(entry.content, latest))?.rev() {
            let (key, put) = put?;
            let (end_ms, run, _) = put.value();
            if run < first_run && arrival.is_none_or(|arrival| arrival <= end_ms.saturating_add(MAX_SKEW_MS)) {
                found = Some(key.value());
                break;
            }
        }
        match found {
            Some(key) => self.take(key).map(|()| true),
            None => Ok(false),
        }
    }

    pub(super) fn take(&mut self, key: (u128, u64)) -> Result<(), redb::Error> {
        let Some((end_ms, run, count)) = self.puts.get(key)?.map(|put| put.value()) else { return Ok(()) };
        if count > 1 {
            self.puts.insert(key, (end_ms, run, count - 1))?;
        } else {
            self.puts.remove(key)?;
        }
        Ok(())
    }
}
