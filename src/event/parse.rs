//! Parses and validates the events in a record's data.

use std::borrow::Cow;

use firehose_transform::json::{Shape, is_plain};
use serde_json::Deserializer;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::format::{Column, EventFormat};
use crate::field::{FlatObject, Found, Value};
use crate::key::{self, Key};
use crate::reason::Reason;
use service_kit::json::{UnsupportedValue, quoted};

/// The most bytes of a required field: a Cognito `sub` has 36.
const MAX_TEXT_BYTES: usize = 256;
/// The most values that a batch allocates for at first, 2 MiB: a configuration may keep 32 fields, and an event have few.
const MAX_CAPACITY: usize = 1 << 16;
/// How often a batch tries to learn how its events are written. Each time costs as much as reading some events.
const MAX_ATTEMPTS: usize = 64;
/// Any integer that is no longer fits into a 64-bit float, so it needs no check.
const MAX_INTEGER_DIGITS: usize = 308;

#[derive(Debug, Default)]
pub(super) struct Parsed<'a> {
    pub(super) events: Vec<ParsedEvent<'a>>,
    /// What is kept of the events, each with the index of its column. Events do without a buffer of their own, and without entries for
    /// fields that they lack: a batch of 6 MB may have 160,000 events, and a configuration 32 fields.
    pub(super) values: Vec<(u8, Value<'a>)>,
    found: Found<'a>,
    plan: Option<Plan>,
    /// The members of the last event that was read by the plan.
    members: Vec<&'a str>,
    attempts: usize,
}

/// How to read events that are written as one before.
#[derive(Debug)]
struct Plan {
    shape: Shape,
    /// The index of the member that has the key.
    key: usize,
    required: Vec<usize>,
    /// What is kept, each with the index of its column.
    kept: Vec<(u8, usize)>,
}

impl Plan {
    /// `None` if `event` has other values than strings and integers, or lacks a required field.
    fn of(event: &str, format: &EventFormat) -> Option<Self> {
        let FlatObject { shape, slots } = format.selection.flat_object(event)?;
        let member = |slot: usize| slots.iter().rposition(|selected| *selected == Some(slot));
        let kept = (0..).zip(&format.columns).filter_map(|(index, column)| match column {
            Column::Field { slot, .. } => Some((index, member(*slot)?)),
            Column::Rest(_) => None,
        });
        let required = format.required.iter().map(|slot| member(*slot));
        Some(Self { key: member(format.key)?, required: required.collect::<Option<_>>()?, kept: kept.collect(), shape })
    }
}

#[derive(Debug)]
pub(super) struct ParsedEvent<'a> {
    /// 1 to 128 characters of `[A-Za-z0-9_-]`.
    pub(super) key: Cow<'a, str>,
    /// The range of what is kept in [`Parsed::values`].
    pub(super) start: u32,
    pub(super) end: u32,
}

impl<'a> Parsed<'a> {
    pub(super) fn with_capacity(events: usize, format: &EventFormat) -> Self {
        let values = (events * format.columns.len()).min(MAX_CAPACITY);
        Self { events: Vec::with_capacity(events), values: Vec::with_capacity(values), ..Self::default() }
    }

    /// A record is all or nothing.
    pub(super) fn record(&mut self, text: &'a str, format: &EventFormat) -> Result<(), Reason> {
        if self.planned(text).is_some() {
            return Ok(());
        }
        let (events, values) = (self.events.len(), self.values.len());
        let outcome = self.events(text, format);
        if outcome.is_err() {
            self.events.truncate(events);
            self.values.truncate(values);
        }
        outcome
    }

    /// Adds an event that is written as the plan says, and valid; `None` if [`Parsed::events`] has to decide.
    fn planned(&mut self, text: &'a str) -> Option<()> {
        let Self { plan: Some(plan), members, values, events, .. } = self else { return None };
        members.clear();
        plan.shape.read_if(text, |index, value| {
            members.push(value);
            let is_text = value.starts_with('"');
            // The characters of a key are checked below.
            index == plan.key || if is_text { is_plain(value) } else { value.len() <= MAX_INTEGER_DIGITS }
        })?;
        let json = members[plan.key];
        let key = quoted(json).unwrap_or(json);
        let is_number = key.len() == json.len();
        if (is_number && (json == "-0" || json.len() > key::MAX_DIGITS)) || key.len() > key::MAX_CHARS {
            return None;
        }
        let is_valid = |member: &usize| quoted(members[*member]).is_some_and(|text| text.len() <= MAX_TEXT_BYTES);
        if !key::is_url_safe(key) || !plan.required.iter().all(is_valid) {
            return None;
        }
        let start = offset_of(values.len());
        for (column, member) in &plan.kept {
            values.push((*column, Value::plain(members[*member])));
        }
        events.push(ParsedEvent { key: Cow::Borrowed(key), start, end: offset_of(values.len()) });
        Some(())
    }

    fn events(&mut self, text: &'a str, format: &EventFormat) -> Result<(), Reason> {
        if text.bytes().all(|byte| byte.is_ascii_whitespace()) {
            return Err(Reason::Empty);
        }
        if !format.keeps_rest() {
            // Nearly every record is one event, which takes one pass.
            if self.scan(text, format).is_some() {
                return self.event(None, format);
            }
            let mut json = Deserializer::from_str(text);
            format.selection.read(&mut json, &mut self.found).map_err(|error| reason(&error))?;
            if json.end().is_ok() {
                return self.event(None, format);
            }
        }
        // `end` after each event would take quadratic time: each error counts lines from the start.
        for event in Deserializer::from_str(text).into_iter::<&RawValue>() {
            let event = event.map_err(|error| reason(&error))?;
            let mut json = Deserializer::from_str(event.get());
            format.selection.read(&mut json, &mut self.found).map_err(|error| reason(&error))?;
            self.event(Some(event.get()), format)?;
        }
        Ok(())
    }

    /// `None` if serde has to decide.
    fn scan(&mut self, text: &'a str, format: &EventFormat) -> Option<()> {
        if self.attempts < MAX_ATTEMPTS {
            self.attempts += 1;
            self.plan = Plan::of(text, format).or(self.plan.take());
        }
        format.selection.scan(text, &mut self.found)
    }

    /// `event` is needed only for `*`.
    fn event(&mut self, event: Option<&'a str>, format: &EventFormat) -> Result<(), Reason> {
        let start = offset_of(self.values.len());
        for (index, column) in (0..).zip(&format.columns) {
            let value = match column {
                Column::Field { slot, .. } => self.found.get(*slot),
                Column::Rest(_) => event.map(Value::of),
            };
            let Some(value) = value else { continue };
            match column {
                Column::Rest(rest) => rest.check(value.json)?,
                Column::Field { slot, .. } if !format.is_required(*slot) => value.check()?,
                Column::Field { .. } => {}
            }
            self.values.push((index, value));
        }
        let mut is_too_long = false;
        for slot in &format.required {
            is_too_long |= required_text(self.found.get(*slot))?.len() > MAX_TEXT_BYTES;
        }
        let key = required_key(self.found.get(format.key))?;
        if is_too_long || (key.len() > key::MAX_CHARS && key.chars().count() > key::MAX_CHARS) {
            return Err(Reason::TooLong);
        }
        if !key::is_url_safe(&key) {
            return Err(Reason::InvalidKey);
        }
        self.events.push(ParsedEvent { key, start, end: offset_of(self.values.len()) });
        Ok(())
    }
}

/// A payload has at most 6 MB, so fewer than 2^32 of anything.
pub(super) fn offset_of(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn reason(error: &serde_json::Error) -> Reason {
    match error.classify() {
        // Members are read as raw JSON, so only a top-level value can have a wrong type.
        Category::Data => Reason::NotAnObject,
        Category::Syntax | Category::Eof | Category::Io => Reason::InvalidJson,
    }
}

fn required_text(value: Option<Value<'_>>) -> Result<Cow<'_, str>, Reason> {
    let value = value.ok_or(Reason::MissingField)?;
    value.text()?.ok_or_else(|| wrong_type(value))
}

fn required_key(value: Option<Value<'_>>) -> Result<Cow<'_, str>, Reason> {
    let value = value.ok_or(Reason::MissingField)?;
    match Key::of(value)? {
        Key::Text(key) => Ok(key),
        Key::WrongType => Err(wrong_type(value)),
        // A number of hundreds of digits exceeds a 64-bit float.
        Key::TooLong => Err(value.check().map_or_else(Reason::from, |()| Reason::TooLong)),
    }
}

/// Too deep and too large are more specific reasons than a wrong type.
fn wrong_type(value: Value<'_>) -> Reason {
    value.check().map_or_else(Reason::from, |()| Reason::WrongType)
}

impl From<UnsupportedValue> for Reason {
    fn from(unsupported: UnsupportedValue) -> Self {
        match unsupported {
            UnsupportedValue::Escape => Reason::InvalidJson,
            UnsupportedValue::TooDeep => Reason::TooDeep,
            UnsupportedValue::NumberTooLarge => Reason::NumberTooLarge,
        }
    }
}

#[cfg(test)]
mod tests;
