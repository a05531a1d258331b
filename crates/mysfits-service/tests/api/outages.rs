//! When DynamoDB does not answer.

use std::time::Duration;

use mysfits_service::{LocalService, Table, TableName, client, local::engine::Engine};
use serde_json::json;

use crate::http::{anywhere, get, nowhere};

async fn over(table: Table) -> LocalService {
    LocalService::start_over(table, anywhere(), Duration::ZERO).await.unwrap()
}

async fn assert_unavailable(service: &LocalService) {
    for path in ["/mysfits", "/mysfits?filter=GoodEvil&value=Good", "/mysfits/4e53920c-505a-4a90-a694-b9300791f0ae"] {
        let answer = get(&service.base_url(), path).await;
        let message = json!({"message": "the mysfits can't be read now, try again later"});
        assert_eq!((answer.status.as_u16(), answer.json()), (503, message), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
    }
}

#[tokio::test]
async fn nothing_listens() {
    let client = client::for_endpoint(&format!("http://{}", nowhere()));
    let service = over(Table::new(client, TableName::default())).await;
    assert_unavailable(&service).await;

    // What needs no table still works.
    assert_eq!(get(&service.base_url(), "/").await.status.as_u16(), 200);
    assert_eq!(get(&service.base_url(), "/mysfits?filter=x").await.status.as_u16(), 400);
    for no_id in ["no%20id", "%ff", &"a".repeat(129)] {
        let answer = get(&service.base_url(), &format!("/mysfits/{no_id}")).await;
        assert_eq!(answer.status.as_u16(), 404, "{no_id}");
    }
}

#[tokio::test]
async fn there_is_no_table() {
    let engine = Engine::start().await.unwrap();
    let service = over(Table::new(engine.client(), TableName::default())).await;
    assert_unavailable(&service).await;
}
