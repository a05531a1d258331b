//! The HTTP interface: the routes, what they refuse, and the JSON that they answer.
//!
//! Everything but the health text is JSON, and every refusal is `{"message": "..."}`.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use lambda_http::tracing;
use serde::Serialize;
use tower_http::cors::{Any, CorsLayer};

use crate::filter::{Filter, FilterError};
use crate::mysfit::{Mysfit, MysfitId, Summary};
use crate::table::{Table, TableError};

/// The service over `table`.
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

/// Lets a page of any origin read. The answer is the same for each of them, so caches need not tell them apart.
fn cors() -> CorsLayer {
    CorsLayer::new().allow_origin(Any).allow_methods([Method::GET]).vary([])
}

/// The answer to a list. Without mysfits it is `{}`, as the published service has it.
#[derive(Serialize)]
struct List {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mysfits: Vec<Summary>,
}

/// Says that the service runs, in plain text. It asks DynamoDB nothing: an outage there is no reason to replace the
/// service.
async fn health() -> &'static str {
    "The mysfits service is up.\n"
}

async fn list(
    State(table): State<Table>,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<List>, Refusal> {
    let Query(parameters) = parameters?;
    let mysfits = match Filter::parse(&parameters)? {
        None => table.list().await?,
        Some(filter) => table.list_by(filter).await?,
    };
    Ok(Json(List { mysfits }))
}

async fn one(State(table): State<Table>, id: Result<Path<MysfitId>, PathRejection>) -> Result<Json<Mysfit>, Refusal> {
    // What can't be an id is the id of no mysfit.
    let Path(id) = id.map_err(|_| Refusal::NoMysfit)?;
    table.get(&id).await?.map(Json).ok_or(Refusal::NoMysfit)
}

async fn no_route() -> Refusal {
    Refusal::NoRoute
}

async fn no_method() -> Refusal {
    Refusal::NoMethod
}

/// Why a request has no other answer.
enum Refusal {
    Parameters(String),
    NoMysfit,
    NoRoute,
    NoMethod,
    Table(TableError),
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::Parameters(rejection.body_text())
    }
}

impl From<FilterError> for Refusal {
    fn from(error: FilterError) -> Self {
        Self::Parameters(error.to_string())
    }
}

impl From<TableError> for Refusal {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

impl IntoResponse for Refusal {
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
                tracing::error!(cause = error.chain(), "the table did not answer");
                (StatusCode::SERVICE_UNAVAILABLE, "the mysfits can't be read now, try again later".to_owned())
            }
        };
        (status, Json(Message { message })).into_response()
    }
}
