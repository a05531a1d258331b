//! Reads the selected values from an object.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::config::Field;
use service_kit::json::{Name, UnsupportedValue};

/// The values for a record; `None` if a value is missing or `null`.
pub(super) struct SelectedValues<'a> {
    /// The values of the record's fields, in their order.
    pub(super) fields: Vec<Option<&'a RawValue>>,
    /// The value of the partition key's field.
    pub(super) partition_key: Option<&'a RawValue>,
}

impl<'a> SelectedValues<'a> {
    /// Reads them from an object. The last of several members with one name counts.
    ///
    /// # Errors
    /// A name is not valid Unicode. Nothing else can fail, because the object is valid JSON.
    pub(super) fn of(object: &'a RawValue, fields: &[Field], partition_key: &Field) -> Result<Self, UnsupportedValue> {
        let selection = Selection { fields, partition_key };
        let mut deserializer = serde_json::Deserializer::from_str(object.get());
        selection.deserialize(&mut deserializer).map_err(|_| UnsupportedValue::Escape)
    }
}

struct Selection<'c> {
    fields: &'c [Field],
    partition_key: &'c Field,
}

impl<'de> DeserializeSeed<'de> for Selection<'_> {
    type Value = SelectedValues<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Selection<'_> {
    type Value = SelectedValues<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Self::Value, M::Error> {
        let mut selected = SelectedValues { fields: vec![None; self.fields.len()], partition_key: None };
        while let Some(Name(name)) = members.next_key()? {
            let field = self.fields.iter().position(|field| field.name == name);
            let is_key = self.partition_key.name == name;
            if field.is_none() && !is_key {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = Some(members.next_value::<&RawValue>()?).filter(|value| value.get() != "null");
            if let Some(index) = field {
                selected.fields[index] = value;
            }
            if is_key {
                selected.partition_key = value;
            }
        }
        Ok(selected)
    }
}
