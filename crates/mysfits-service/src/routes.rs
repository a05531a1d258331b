//! The HTTP interface. All responses except the health check are JSON, and error responses are `{"message": "..."}`.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};
use tower_http::cors::{Any, CorsLayer};

use crate::filter::Filter;
use crate::mysfit::{Mysfit, is_id};
use crate::table::Table;

/// The routes of the service.
pub fn router(table: Table) -> Router {
    Router::new()
        .route("/", get(health))
        .route("/mysfits", get(list))
        .route("/mysfits/{id}", get(one))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        // The response is the same for any origin, so it has no `Vary`.
        .layer(CorsLayer::new().allow_origin(Any).allow_methods([Method::GET]).vary([]))
        .with_state(table)
}

type ErrorResponse = (StatusCode, Json<Value>);

/// Without mysfits it is `{}`, as in the published service.
#[derive(Serialize)]
struct ListResponse {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mysfits: Vec<Mysfit>,
}

/// It does not query DynamoDB: an outage there is no reason to replace the service.
async fn health() -> &'static str {
    "The mysfits service is up.\n"
}

async fn list(
    State(table): State<Table>,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<ListResponse>, ErrorResponse> {
    let bad_request = |message: String| error(StatusCode::BAD_REQUEST, &message);
    let Query(parameters) = parameters.map_err(|rejection| bad_request(rejection.body_text()))?;
    let mysfits = match Filter::parse(&parameters).map_err(bad_request)? {
        None => table.list().await,
        Some(filter) => table.list_by(filter).await,
    };
    Ok(Json(ListResponse { mysfits: mysfits.map_err(|error| unavailable(&error))? }))
}

async fn one(
    State(table): State<Table>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Mysfit>, ErrorResponse> {
    let mysfit = match id {
        Ok(Path(id)) if is_id(&id) => table.get(&id).await.map_err(|error| unavailable(&error))?,
        _ => None,
    };
    mysfit.map(Json).ok_or_else(|| error(StatusCode::NOT_FOUND, "no mysfit has this id"))
}

async fn no_route() -> ErrorResponse {
    error(StatusCode::NOT_FOUND, "no such path: there are /, /mysfits and /mysfits/{id}")
}

async fn no_method() -> ErrorResponse {
    error(StatusCode::METHOD_NOT_ALLOWED, "only GET")
}

fn unavailable(failure: &anyhow::Error) -> ErrorResponse {
    // With its sources. `Debug` would include the response's payload.
    tracing::error!(cause = format!("{failure:#}"), "could not read the table");
    error(StatusCode::SERVICE_UNAVAILABLE, "the mysfits are unavailable, retry later")
}

fn error(status: StatusCode, message: &str) -> ErrorResponse {
    (status, Json(json!({ "message": message })))
}
