//! Which fields of an event are read and kept.

use super::rest::Rest;
use crate::config::{Config, EventField};
use crate::field::{Field, Selection};

/// Which fields of an event are read, required and kept.
#[derive(Clone, Debug)]
pub struct EventFormat {
    pub(super) selection: Selection,
    /// The slot of the key.
    pub(super) key: usize,
    pub(super) required: Vec<usize>,
    pub(super) columns: Vec<Column>,
}

#[derive(Clone, Debug)]
pub(super) enum Column {
    Field {
        /// A comma, the member's name and a colon as JSON.
        member: String,
        slot: usize,
        /// Then it is `null` if nothing is found. A field by name is left out.
        is_pointer: bool,
    },
    Rest(Rest),
}

impl EventFormat {
    /// The configured format.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut selection = Selection::new(false);
        // A bare name is the key's output name, or that of a field to keep, or a member's name.
        let source = |field: &Field| {
            let named = |known: &&Field| !field.is_pointer && known.output == field.output;
            let mut known = [&config.key].into_iter().chain(config.event_fields.iter().filter_map(EventField::field));
            known.find(named).unwrap_or(field).clone()
        };
        let key = selection.add(&config.key);
        let required: Vec<usize> = config.required_fields.iter().map(|field| selection.add(&source(field))).collect();
        let mut column = |field: &EventField| match field {
            EventField::Rest => Column::Rest(Rest::new(config)),
            EventField::Field(field) => Column::Field {
                member: format!(",\"{}\":", field.output),
                slot: selection.add(&source(field)),
                is_pointer: source(field).is_pointer,
            },
        };
        let columns = config.event_fields.iter().map(&mut column).collect();
        let required = required.into_iter().filter(|slot| *slot != key).collect();
        Self { selection, key, required, columns }
    }

    pub(super) fn keeps_rest(&self) -> bool {
        self.columns.iter().any(|column| matches!(column, Column::Rest(_)))
    }

    pub(super) fn is_required(&self, slot: usize) -> bool {
        slot == self.key || self.required.contains(&slot)
    }
}
