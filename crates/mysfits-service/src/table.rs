//! The DynamoDB table of the mysfits: its name, and its queries.

use std::env;
use std::str::FromStr;

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use service_kit::env::VariableError;

use crate::filter::{Filter, excerpt, index_name};
use crate::mysfit::Mysfit;

/// `Name` is a reserved word in DynamoDB.
const SUMMARY_PROJECTION: &str = "MysfitId, #name, GoodEvil, LawChaos, Species, ThumbImageUri";

const TABLE_VARIABLE: &str = "MYSFITS_TABLE";

/// The mysfits in DynamoDB. The SDK has already retried a request that fails.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: TableName,
}

/// A valid name of a DynamoDB table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName(String);

impl TableName {
    /// The name in `MYSFITS_TABLE`, or the default one if it is not set.
    pub fn from_env() -> Result<Self, VariableError> {
        env::var_os(TABLE_VARIABLE).map_or_else(|| Ok(Self::default()), |name| name.to_string_lossy().parse())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TableName {
    fn default() -> Self {
        Self("MysfitsTable".to_owned())
    }
}

impl FromStr for TableName {
    type Err = VariableError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if (3..=255).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(VariableError::new(TABLE_VARIABLE, excerpt(name), "3 to 255 characters of [A-Za-z0-9_.-]"))
        }
    }
}

impl Table {
    /// The table `name`.
    #[must_use]
    pub fn new(client: Client, name: TableName) -> Self {
        Self { client, name }
    }

    /// Every mysfit, from all pages of at most 1 MB.
    pub async fn list(&self) -> anyhow::Result<Vec<Mysfit>> {
        let items = self
            .client
            .scan()
            .table_name(self.name.as_str())
            .projection_expression(SUMMARY_PROJECTION)
            .expression_attribute_names("#name", "Name")
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await
            .context("DynamoDB Scan failed")?;
        Ok(items.iter().map(Mysfit::in_list).collect())
    }

    pub(crate) async fn list_by(&self, filter: Filter) -> anyhow::Result<Vec<Mysfit>> {
        let items = self
            .client
            .query()
            .table_name(self.name.as_str())
            .index_name(index_name(filter.attribute))
            .key_condition_expression(format!("{} = :value", filter.attribute))
            .expression_attribute_values(":value", AttributeValue::S(filter.value))
            .projection_expression(SUMMARY_PROJECTION)
            .expression_attribute_names("#name", "Name")
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await
            .context("DynamoDB Query failed")?;
        Ok(items.iter().map(Mysfit::in_list).collect())
    }

    pub(crate) async fn get(&self, id: &str) -> anyhow::Result<Option<Mysfit>> {
        let response = self
            .client
            .get_item()
            .table_name(self.name.as_str())
            .key("MysfitId", AttributeValue::S(id.to_owned()))
            .send()
            .await
            .context("DynamoDB GetItem failed")?;
        Ok(response.item.as_ref().map(Mysfit::complete))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_by_the_rules_of_dynamodb() {
        for name in ["abc", "MysfitsTable", "Stack-MysfitsTable_1.prod", &"x".repeat(255)] {
            assert_eq!(name.parse::<TableName>().unwrap().as_str(), name);
        }
        for name in ["", "ab", "my table", "arn:aws:dynamodb", "té-ble", &"x".repeat(256)] {
            assert!(name.parse::<TableName>().is_err(), "{name}");
        }
    }

    #[test]
    fn an_invalid_name_is_reported_with_its_variable_and_the_rule() {
        let error = "my table".parse::<TableName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "MYSFITS_TABLE: found \"my table\"; accepted: 3 to 255 characters of [A-Za-z0-9_.-]"
        );
    }
}
