//! Creates the table with its indexes if it is missing, and fills it with the twelve mysfits if it is empty.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType, Put,
    ScalarAttributeType, TransactWriteItem,
};
use serde_json::Value;

use crate::filter::INDEXES;
use crate::mysfit::item;
use crate::table::{TableError, TableName};

const FIXTURE: &str = include_str!("../../../../fixtures/mysfits.json");

/// Seconds in AWS, immediate in an embedded engine.
const ACTIVE_WITHIN: Duration = Duration::from_mins(1);

/// Creates the table if it is missing, and fills it if it is empty. Existing items are not changed.
pub async fn create_table(client: &Client, name: &TableName) -> Result<(), TableError> {
    let request = creation(client, name).map_err(TableError::of("the table's description is incomplete"))?;
    match request.send().await {
        // It exists, or is being created by another process or by an attempt without a response.
        Err(SdkError::ServiceError(error)) if error.err().is_resource_in_use_exception() => {}
        created => {
            created.map_err(TableError::of("DynamoDB CreateTable failed"))?;
        }
    }
    let exists = client.wait_until_table_exists().table_name(name.as_str()).wait(ACTIVE_WITHIN).await;
    exists.map_err(TableError::of("the table does not become active"))?;
    let page = client.scan().table_name(name.as_str()).limit(1).send().await;
    if page.map_err(TableError::of("DynamoDB Scan failed"))?.items().is_empty() {
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
    for index in INDEXES {
        let index_with_everything = GlobalSecondaryIndex::builder()
            .index_name(index.name)
            .key_schema(key(index.attribute, KeyType::Hash)?)
            .key_schema(key("MysfitId", KeyType::Range)?)
            .projection(Projection::builder().projection_type(ProjectionType::All).build())
            .build()?;
        request =
            request.attribute_definitions(string(index.attribute)?).global_secondary_indexes(index_with_everything);
    }
    Ok(request)
}

/// In one transaction, so that the table is still empty after a failure.
async fn fill(client: &Client, name: &TableName) -> Result<(), TableError> {
    let mysfits: Vec<Value> =
        serde_json::from_str(FIXTURE).map_err(TableError::of("fixtures/mysfits.json is not a list of mysfits"))?;
    let mut request = client.transact_write_items();
    for mysfit in &mysfits {
        let put = Put::builder().table_name(name.as_str()).set_item(Some(item(mysfit))).build();
        let put = put.map_err(TableError::of("the table's description is incomplete"))?;
        request = request.transact_items(TransactWriteItem::builder().put(put).build());
    }
    request.send().await.map_err(TableError::of("DynamoDB TransactWriteItems failed"))?;
    Ok(())
}

fn string(attribute: &str) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S).build()
}

fn key(attribute: &str, key_type: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(attribute).key_type(key_type).build()
}
