//! Creates the table with its indexes if it is missing, and fills it with the twelve mysfits if it is empty.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType, Put,
    ScalarAttributeType, TransactWriteItem,
};
use serde_json::Value;

use crate::filter::{INDEXED, index_name};
use crate::mysfit::item;
use crate::table::TableName;

const FIXTURE: &str = include_str!("../../../../fixtures/mysfits.json");

/// Seconds in AWS, immediate in an embedded engine.
const ACTIVE_WITHIN: Duration = Duration::from_mins(1);

/// Creates the table if it is missing, and fills it if it is empty. Existing items are not changed.
pub async fn create_table(client: &Client, name: &TableName) -> anyhow::Result<()> {
    let request = creation(client, name).context("the table's description is incomplete")?;
    match request.send().await {
        // It exists, or is being created by another process or by an attempt without a response.
        Err(SdkError::ServiceError(error)) if error.err().is_resource_in_use_exception() => {}
        created => {
            created.context("DynamoDB CreateTable failed")?;
        }
    }
    let exists = client.wait_until_table_exists().table_name(name.as_str()).wait(ACTIVE_WITHIN).await;
    exists.context("the table does not become active")?;
    let page = client.scan().table_name(name.as_str()).limit(1).send().await;
    if page.context("DynamoDB Scan failed")?.items().is_empty() {
        fill(client, name).await?;
    }
    Ok(())
}

fn creation(client: &Client, name: &TableName) -> Result<CreateTableFluentBuilder, BuildError> {
    let mut request = client
        .create_table()
        .table_name(name.as_str())
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(string("MysfitId")?)
        .key_schema(key("MysfitId", KeyType::Hash)?);
    for attribute in INDEXED {
        let index_with_everything = GlobalSecondaryIndex::builder()
            .index_name(index_name(attribute))
            .key_schema(key(attribute, KeyType::Hash)?)
            .key_schema(key("MysfitId", KeyType::Range)?)
            .projection(Projection::builder().projection_type(ProjectionType::All).build())
            .build()?;
        request = request.attribute_definitions(string(attribute)?).global_secondary_indexes(index_with_everything);
    }
    Ok(request)
}

/// In one transaction, so that the table is still empty after a failure.
async fn fill(client: &Client, name: &TableName) -> anyhow::Result<()> {
    let mysfits: Vec<Value> =
        serde_json::from_str(FIXTURE).context("fixtures/mysfits.json is not a list of mysfits")?;
    let mut request = client.transact_write_items();
    for mysfit in &mysfits {
        let put = Put::builder().table_name(name.as_str()).set_item(Some(item(mysfit))).build();
        let put = put.context("the table's description is incomplete")?;
        request = request.transact_items(TransactWriteItem::builder().put(put).build());
    }
    request.send().await.context("DynamoDB TransactWriteItems failed")?;
    Ok(())
}

fn string(attribute: &str) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S).build()
}

fn key(attribute: &str, key_type: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(attribute).key_type(key_type).build()
}
