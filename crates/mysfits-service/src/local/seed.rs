//! Creates the table with its indexes if it is missing, and fills it with the twelve mysfits if it is empty.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::scan::ScanError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, Put, ScalarAttributeType, TransactWriteItem,
};
use aws_sdk_dynamodb::waiters::table_exists::WaitUntilTableExistsError;
use serde::Deserialize;
use thiserror::Error;

use crate::filter::INDEXES;
use crate::mysfit::Item;
use crate::table::TableName;

const FIXTURE: &str = include_str!("../../../../fixtures/mysfits.json");

/// How long a new table may take to become active: seconds in AWS, immediate in an embedded engine.
const ACTIVE_WITHIN: Duration = Duration::from_mins(1);

/// Why the table can't be created or filled.
#[derive(Debug, Error)]
pub enum SeedError {
    /// The fixture is invalid.
    #[error("fixtures/mysfits.json is not a list of mysfits")]
    Fixture(#[from] serde_json::Error),
    /// The table's description is incomplete.
    #[error("the table's description is incomplete")]
    Description(#[from] BuildError),
    /// DynamoDB does not create the table.
    #[error("DynamoDB CreateTable failed")]
    CreateTable(#[from] Box<SdkError<CreateTableError>>),
    /// The table does not become active.
    #[error("the table does not become active")]
    Inactive(#[from] Box<WaitUntilTableExistsError>),
    /// DynamoDB can't check whether the table is empty.
    #[error("DynamoDB Scan failed")]
    Scan(#[from] Box<SdkError<ScanError>>),
    /// DynamoDB does not store the mysfits.
    #[error("DynamoDB TransactWriteItems failed")]
    TransactWriteItems(#[from] Box<SdkError<TransactWriteItemsError>>),
}

/// Creates the table if it is missing, and fills it if it is empty. Existing items are not changed.
pub async fn create_table(client: &Client, name: &TableName) -> Result<(), SeedError> {
    let mysfits: Vec<Seed> = serde_json::from_str(FIXTURE)?;
    create_if_missing(client, name).await?;
    if is_empty(client, name).await? {
        fill(client, name, mysfits).await?;
    }
    Ok(())
}

async fn is_empty(client: &Client, name: &TableName) -> Result<bool, SeedError> {
    let page = client.scan().table_name(name.as_str()).limit(1).send().await.map_err(Box::new)?;
    Ok(page.items().is_empty())
}

/// In one transaction, so that the table is still empty after a failure.
async fn fill(client: &Client, name: &TableName, mysfits: Vec<Seed>) -> Result<(), SeedError> {
    let mut request = client.transact_write_items();
    for mysfit in mysfits {
        let put = Put::builder().table_name(name.as_str()).set_item(Some(mysfit.into())).build()?;
        request = request.transact_items(TransactWriteItem::builder().put(put).build());
    }
    request.send().await.map_err(Box::new)?;
    Ok(())
}

async fn create_if_missing(client: &Client, name: &TableName) -> Result<(), SeedError> {
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
    match request.send().await {
        Ok(_) => {}
        // It exists, or is being created by another process or by an attempt without a response.
        Err(SdkError::ServiceError(error)) if error.err().is_resource_in_use_exception() => {}
        Err(error) => return Err(Box::new(error).into()),
    }
    client.wait_until_table_exists().table_name(name.as_str()).wait(ACTIVE_WITHIN).await.map_err(Box::new)?;
    Ok(())
}

fn string(attribute: &str) -> Result<AttributeDefinition, BuildError> {
    AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S).build()
}

fn key(attribute: &str, key_type: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(attribute).key_type(key_type).build()
}

/// A mysfit of the fixture: complete, and with its likes as a number, as in the table.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Seed {
    mysfit_id: String,
    name: String,
    species: String,
    age: i64,
    goodevil: String,
    lawchaos: String,
    description: String,
    thumb_image_uri: String,
    profile_image_uri: String,
    likes: u64,
    adopted: bool,
}

impl From<Seed> for Item {
    fn from(seed: Seed) -> Self {
        let attributes = [
            ("MysfitId", AttributeValue::S(seed.mysfit_id)),
            ("Name", AttributeValue::S(seed.name)),
            ("Species", AttributeValue::S(seed.species)),
            ("Age", AttributeValue::N(seed.age.to_string())),
            ("GoodEvil", AttributeValue::S(seed.goodevil)),
            ("LawChaos", AttributeValue::S(seed.lawchaos)),
            ("Description", AttributeValue::S(seed.description)),
            ("ThumbImageUri", AttributeValue::S(seed.thumb_image_uri)),
            ("ProfileImageUri", AttributeValue::S(seed.profile_image_uri)),
            ("Likes", AttributeValue::N(seed.likes.to_string())),
            ("Adopted", AttributeValue::Bool(seed.adopted)),
        ];
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
