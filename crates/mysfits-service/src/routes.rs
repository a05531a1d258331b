//! The HTTP interface. All responses except the health check are JSON, and error responses are `{"message": "..."}`.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tower_http::cors::{Any, CorsLayer};

use crate::filter::{Filter, FilterError};
use crate::mysfit::{Mysfit, MysfitId, Summary};
use crate::table::{Table, TableError};

/// The routes of the service.
pub fn router(table: Table) -> Router {
    Router::new()
        .route("/", get(health))
        .route("/mysfits", get(list))
        .route("/mysfits/{id}", get(one))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(cors())
        .with_state(table)
}

/// Allows any origin. The response is the same for all, so it has no `Vary`.
fn cors() -> CorsLayer {
    CorsLayer::new().allow_origin(Any).allow_methods([Method::GET]).vary([])
}

/// Without mysfits it is `{}`, as in the published service.
#[derive(Serialize)]
struct ListResponse {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mysfits: Vec<Summary>,
}

/// The health check. It does not query DynamoDB: an outage there is no reason to replace the service.
async fn health() -> &'static str {
    "The mysfits service is up.\n"
}

async fn list(
    State(table): State<Table>,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<ListResponse>, ErrorResponse> {
    let Query(parameters) = parameters?;
    let mysfits = match Filter::parse(&parameters)? {
        None => table.list().await?,
        Some(filter) => table.list_by(filter).await?,
    };
    Ok(Json(ListResponse { mysfits }))
}

async fn one(
    State(table): State<Table>,
    id: Result<Path<MysfitId>, PathRejection>,
) -> Result<Json<Mysfit>, ErrorResponse> {
    // An invalid id is an unknown id.
    let Path(id) = id.map_err(|_| ErrorResponse::NoMysfit)?;
    table.get(&id).await?.map(Json).ok_or(ErrorResponse::NoMysfit)
}

async fn no_route() -> ErrorResponse {
    ErrorResponse::NoRoute
}

async fn no_method() -> ErrorResponse {
    ErrorResponse::NoMethod
}

enum ErrorResponse {
    Parameters(String),
    NoMysfit,
    NoRoute,
    NoMethod,
    Table(TableError),
}

impl From<QueryRejection> for ErrorResponse {
    fn from(rejection: QueryRejection) -> Self {
        Self::Parameters(rejection.body_text())
    }
}

impl From<FilterError> for ErrorResponse {
    fn from(error: FilterError) -> Self {
        Self::Parameters(error.to_string())
    }
}

impl From<TableError> for ErrorResponse {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Message {
            message: String,
        }

        let (status, message) = match self {
            Self::Parameters(message) => (StatusCode::BAD_REQUEST, message),
            Self::NoMysfit => (StatusCode::NOT_FOUND, "no mysfit has this id".to_owned()),
            Self::NoRoute => {
                (StatusCode::NOT_FOUND, "no such path: there are /, /mysfits and /mysfits/{id}".to_owned())
            }
            Self::NoMethod => (StatusCode::METHOD_NOT_ALLOWED, "only GET".to_owned()),
            Self::Table(error) => {
                tracing::error!(cause = error.chain(), "could not read the table");
                (StatusCode::SERVICE_UNAVAILABLE, "the mysfits are unavailable, retry later".to_owned())
            }
        };
        (status, Json(Message { message })).into_response()
    }
}
