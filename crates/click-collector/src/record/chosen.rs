//! The values of an object that a record is made of.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::config::Field;
use service_kit::json::Unusable;

/// The values that a record is made of; `None` where a value is missing or `null`.
pub(super) struct Chosen<'a> {
    /// Those of the record's fields, in their order.
    pub(super) fields: Vec<Option<&'a RawValue>>,
    /// That of the partition key's field.
    pub(super) partition_key: Option<&'a RawValue>,
}

impl<'a> Chosen<'a> {
    /// Reads them out of an object. Of several members with one name, the last one counts.
    ///
    /// # Errors
    /// [`Unusable::Escape`] for a name that is no text: that is all that there is to refuse in an object whose grammar is checked.
    pub(super) fn of(object: &'a RawValue, fields: &[Field], partition_key: &Field) -> Result<Self, Unusable> {
        let choice = Choice { fields, partition_key };
        let mut deserializer = serde_json::Deserializer::from_str(object.get());
        choice.deserialize(&mut deserializer).map_err(|_| Unusable::Escape)
    }
}

/// Which values are wanted.
struct Choice<'c> {
    fields: &'c [Field],
    partition_key: &'c Field,
}

/// A member's name, borrowed where it holds no escape: serde copies a bare `Cow`.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for Choice<'_> {
    type Value = Chosen<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Choice<'_> {
    type Value = Chosen<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Self::Value, M::Error> {
        let mut chosen = Chosen { fields: vec![None; self.fields.len()], partition_key: None };
        while let Some(Name(name)) = members.next_key()? {
            let field = self.fields.iter().position(|field| field.name == name);
            let is_key = self.partition_key.name == name;
            if field.is_none() && !is_key {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = Some(members.next_value::<&RawValue>()?).filter(|value| value.get() != "null");
            if let Some(index) = field {
                chosen.fields[index] = value;
            }
            if is_key {
                chosen.partition_key = value;
            }
        }
        Ok(chosen)
    }
}
