//! When DynamoDB does not respond.

use axum::http::StatusCode;
use mysfits_service::local::engine::Engine;
use mysfits_service::{LocalService, Table, TableName, client};
use serde_json::{Value, json};
use test_support::PATIENCE;
use tokio::time::timeout;

use crate::dynamodb::{DynamoDb, EMPTY};
use crate::http::{get, nowhere, over};

async fn assert_unavailable(service: &LocalService) {
    for path in ["/mysfits", "/mysfits?filter=GoodEvil&value=Good", "/mysfits/4e53920c-505a-4a90-a694-b9300791f0ae"] {
        let response = get(&service.base_url(), path).await;
        let message = json!({"message": "the mysfits are unavailable, retry later"});
        assert_eq!((response.status.as_u16(), response.json()), (503, message), "{path}: {response:?}");
        assert_eq!(response.header("access-control-allow-origin"), "*", "{path}");
    }
}

#[tokio::test]
async fn connection_refused() {
    let client = client::for_endpoint(&format!("http://{}", nowhere()));
    let service = over(Table::new(client, TableName::default())).await;
    assert_unavailable(&service).await;

    // Requests without a query still work.
    get(&service.base_url(), "/").await.is(200);
    get(&service.base_url(), "/mysfits?filter=x").await.is(400);
    for no_id in ["no%20id", "%ff", &"a".repeat(129)] {
        let response = get(&service.base_url(), &format!("/mysfits/{no_id}")).await;
        assert_eq!(response.status.as_u16(), 404, "{no_id}: {response:?}");
    }
}

#[tokio::test]
async fn missing_table() {
    let engine = Engine::start().await.unwrap();
    let service = over(Table::new(engine.client(), TableName::default())).await;
    assert_unavailable(&service).await;
}

#[tokio::test]
async fn one_failure_is_retried() {
    let dynamodb = DynamoDb::start(|number| match number {
        0 => Some((StatusCode::INTERNAL_SERVER_ERROR, "{}")),
        _ => Some((StatusCode::OK, EMPTY)),
    })
    .await;
    let service = over(dynamodb.table()).await;
    let response = get(&service.base_url(), "/mysfits").await;
    assert_eq!((response.status, response.text.as_str()), (StatusCode::OK, "{}"), "{response:?}");
    assert_eq!(dynamodb.requests().len(), 2);
}

#[tokio::test]
async fn a_permanent_failure_takes_three_attempts() {
    let dynamodb = DynamoDb::start(|_| Some((StatusCode::INTERNAL_SERVER_ERROR, "{}"))).await;
    let service = over(dynamodb.table()).await;
    get(&service.base_url(), "/mysfits").await.is(503);
    assert_eq!(dynamodb.requests().len(), 3);
}

#[tokio::test]
async fn a_dynamodb_that_never_responds_times_out() {
    let dynamodb = DynamoDb::start(|_| None).await;
    let table = dynamodb.table();
    let service = over(table.clone()).await;
    let base_url = service.base_url();
    let both = async { tokio::join!(get(&base_url, "/mysfits"), table.list()) };
    let (response, list) = timeout(PATIENCE, both).await.unwrap();
    response.is(503);
    let cause = format!("{:#}", list.unwrap_err());
    assert!(cause.contains("operation timeout (all attempts including retries)"), "{cause}");
    // At least one attempt timed out before the operation.
    assert!(dynamodb.requests().len() >= 4, "{}", dynamodb.requests().len());
}

#[tokio::test]
async fn only_the_attributes_of_a_list_are_requested() {
    let dynamodb = DynamoDb::start(|_| Some((StatusCode::OK, EMPTY))).await;
    let service = over(dynamodb.table()).await;
    get(&service.base_url(), "/mysfits").await;
    get(&service.base_url(), "/mysfits?filter=LawChaos&value=Lawful").await;
    let requests: Vec<Value> = dynamodb.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let projection = "MysfitId, #name, GoodEvil, LawChaos, Species, ThumbImageUri";
        assert_eq!(
            (&request["TableName"], &request["ProjectionExpression"]),
            (&json!("MysfitsTable"), &json!(projection))
        );
        assert_eq!(request["ExpressionAttributeNames"], json!({"#name": "Name"}));
    }
    assert_eq!(requests[1]["IndexName"], "LawChaosIndex");
}
