//! Tables that are larger than a page of DynamoDB, empty, or have incomplete items.

use aws_sdk_dynamodb::types::AttributeValue;
use axum::http::StatusCode;
use mysfits_service::local::engine::Engine;
use mysfits_service::local::seed;
use mysfits_service::mysfit::Item;
use mysfits_service::{LocalService, Table, TableName};
use serde_json::json;

use crate::dynamodb::DynamoDb;
use crate::http::{fixture, get, ids, over};

/// An engine with the twelve mysfits in a table of this name, and its service.
async fn start(name: &str) -> (Engine, TableName, LocalService) {
    let name: TableName = name.parse().unwrap();
    let engine = Engine::start().await.unwrap();
    seed::create_table(&engine.client(), &name).await.unwrap();
    let table = Table::new(engine.client(), name.clone());
    let service = over(table).await;
    (engine, name, service)
}

async fn put<const N: usize>(engine: &Engine, name: &TableName, attributes: [(&str, AttributeValue); N]) {
    let item: Item = attributes.map(|(name, value)| (name.to_owned(), value)).into();
    engine.client().put_item().table_name(name.as_str()).set_item(Some(item)).send().await.unwrap();
}

fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

#[tokio::test]
async fn a_list_goes_over_every_page() {
    let (engine, name, service) = start("Large").await;
    let mut expected = ids(&fixture());
    for number in 0..5 {
        let id = format!("large-{number}");
        let attributes = [
            ("MysfitId", string(&id)),
            ("GoodEvil", string("Good")),
            ("LawChaos", string("Lawful")),
            ("Description", string(&"x".repeat(390_000))),
        ];
        put(&engine, &name, attributes).await;
        expected.push(id);
    }
    expected.sort();

    // The test requires more than one page.
    let page = engine.client().scan().table_name(name.as_str()).send().await.unwrap();
    assert!(page.last_evaluated_key.is_some());

    assert_eq!(get(&service.base_url(), "/mysfits").await.ids(), expected);
    let good = get(&service.base_url(), "/mysfits?filter=GoodEvil&value=Good").await.ids();
    let expected_good = ids(fixture().iter().filter(|mysfit| mysfit["goodevil"] == "Good"));
    assert_eq!(good.len(), expected_good.len() + 5);
    assert!(expected_good.iter().all(|id| good.contains(id)));
}

#[tokio::test]
async fn a_list_without_mysfits_is_an_empty_object() {
    let (engine, name, service) = start("Empty").await;
    for id in ids(&fixture()) {
        let request = engine.client().delete_item().table_name(name.as_str());
        request.key("MysfitId", AttributeValue::S(id)).send().await.unwrap();
    }
    for path in ["/mysfits", "/mysfits?filter=GoodEvil&value=Good"] {
        let response = get(&service.base_url(), path).await;
        assert_eq!((response.status, response.text.as_str()), (StatusCode::OK, "{}"), "{path}: {response:?}");
    }
}

#[tokio::test]
async fn missing_attributes_are_omitted() {
    let (engine, name, service) = start("Imperfect").await;
    put(&engine, &name, [("MysfitId", string("bare"))]).await;
    let attributes = [
        ("MysfitId", string("odd")),
        ("Name", AttributeValue::Bool(true)),
        ("GoodEvil", string("Good")),
        ("Species", AttributeValue::N("7".to_owned())),
        ("Age", AttributeValue::N("1.5".to_owned())),
        ("Likes", string("many")),
        ("Adopted", string("yes")),
    ];
    put(&engine, &name, attributes).await;

    let list = get(&service.base_url(), "/mysfits").await;
    assert_eq!(list.ids().len(), 14);
    let body = list.json();
    let listed = body["mysfits"].as_array().unwrap();
    assert!(listed.contains(&json!({"mysfitId": "bare"})));
    assert!(listed.contains(&json!({"mysfitId": "odd", "goodevil": "Good"})));

    for (id, expected) in
        [("bare", json!({"mysfitId": "bare"})), ("odd", json!({"mysfitId": "odd", "goodevil": "Good"}))]
    {
        let response = get(&service.base_url(), &format!("/mysfits/{id}")).await;
        assert_eq!((response.status, response.json()), (StatusCode::OK, expected), "{response:?}");
    }
}

#[tokio::test]
async fn the_longest_id_is_found_and_a_longer_one_is_none() {
    let (engine, name, service) = start("Long").await;
    let (longest, longer) = ("a".repeat(128), "a".repeat(129));
    for id in [&longest, &longer] {
        put(&engine, &name, [("MysfitId", string(id))]).await;
    }
    let response = get(&service.base_url(), &format!("/mysfits/{longest}")).await;
    assert_eq!((response.status, &response.json()["mysfitId"]), (StatusCode::OK, &json!(longest)), "{response:?}");
    let response = get(&service.base_url(), &format!("/mysfits/{longer}")).await;
    response.is(404);
}

#[tokio::test]
async fn an_empty_table_is_filled() {
    let (engine, name, service) = start("Unfilled").await;
    for id in ids(&fixture()) {
        let request = engine.client().delete_item().table_name(name.as_str());
        request.key("MysfitId", string(&id)).send().await.unwrap();
    }
    assert_eq!(get(&service.base_url(), "/mysfits").await.text, "{}");

    seed::create_table(&engine.client(), &name).await.unwrap();
    assert_eq!(get(&service.base_url(), "/mysfits").await.ids(), ids(&fixture()));
}

#[tokio::test]
async fn a_table_whose_creation_got_no_response_is_filled_with_all_or_none() {
    let dynamodb = DynamoDb::start(|number| {
        Some(match number {
            0 => (StatusCode::BAD_REQUEST, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceInUseException"}"#),
            1 => (StatusCode::OK, r#"{"Table":{"TableName":"MysfitsTable","TableStatus":"ACTIVE"}}"#),
            2 => (StatusCode::OK, r#"{"Items":[],"Count":0,"ScannedCount":0}"#),
            _ => (StatusCode::OK, "{}"),
        })
    })
    .await;
    seed::create_table(&dynamodb.client(), &TableName::default()).await.unwrap();
    let requests = dynamodb.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[3]["TransactItems"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn an_existing_table_is_not_changed() {
    let (engine, name, service) = start("Kept").await;
    put(&engine, &name, [("MysfitId", string("mine"))]).await;
    let id = "4e53920c-505a-4a90-a694-b9300791f0ae";
    put(&engine, &name, [("MysfitId", string(id)), ("Name", string("Eva"))]).await;

    seed::create_table(&engine.client(), &name).await.unwrap();
    assert_eq!(get(&service.base_url(), "/mysfits").await.ids().len(), 13);
    let response = get(&service.base_url(), &format!("/mysfits/{id}")).await;
    assert_eq!(response.json(), json!({"mysfitId": id, "name": "Eva"}));
}
