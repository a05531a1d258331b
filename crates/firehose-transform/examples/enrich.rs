//! Adds the product to each order, fetched from `$LOOKUP_API_URL/products/{id}`: once for each product of a batch.

use std::collections::{BTreeSet, HashMap};

use firehose_transform::{Event, Invocation, Outcome, RecordError, RuntimeError, Transformed};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::StatusCode;
use serde_json::Value;

/// Requests at the same time.
const CONCURRENCY: usize = 16;

struct Products {
    url: String,
    http: reqwest::Client,
}

impl Products {
    /// `None` if the service does not know the product.
    async fn fetch(&self, id: u64) -> Result<(u64, Option<Value>), reqwest::Error> {
        let response = self.http.get(format!("{}/products/{id}", self.url)).send().await?;
        let is_unknown = response.status() == StatusCode::NOT_FOUND;
        Ok((id, if is_unknown { None } else { Some(response.error_for_status()?.json().await?) }))
    }

    /// An outage fails the invocation, so that Firehose tries it again.
    async fn enrich(&self, event: &Event<'_>, invocation: &Invocation) -> Result<Transformed, RuntimeError> {
        let ids: BTreeSet<u64> =
            event.records().flatten().flat_map(|record| order(record.data())).map(|(_, id)| id).collect();
        let requests = stream::iter(ids).map(|id| self.fetch(id)).buffer_unordered(CONCURRENCY);
        let products: HashMap<_, _> = tokio::time::timeout(invocation.time_left(), requests.try_collect()).await??;
        Ok(event.transform(|record| {
            let (mut order, id) = order(record.data())?;
            let product = products[&id].clone().ok_or_else(|| RecordError::new("unknown_product", id))?;
            order["product"] = product;
            Ok(Outcome::Ok(format!("{order}\n").into()))
        }))
    }
}

/// The order, and the id of its product.
fn order(data: &[u8]) -> Result<(Value, u64), RecordError> {
    let order: Value = serde_json::from_slice(data)?;
    let id = order.pointer("/item/productId").and_then(Value::as_u64);
    Ok((order, id.ok_or_else(|| RecordError::new("product_id", "not a number"))?))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RuntimeError> {
    tracing_subscriber::fmt().json().init();
    // This workspace builds reqwest without a TLS provider; with its default features it has one.
    _ = rustls::crypto::ring::default_provider().install_default();
    let products = Products { url: std::env::var("LOOKUP_API_URL")?, http: reqwest::Client::new() };
    firehose_transform::run_batch(async |event: &Event<'_>, invocation: &Invocation| {
        products.enrich(event, invocation).await
    })
    .await
}
