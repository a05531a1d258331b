//! Looks mysfits up: cached values first, then as few requests to the service as possible. The crate's only network I/O.
//!
//! This module handles URLs, retries, time and freshness. It does not handle clicks or Firehose.

mod attributes;
mod cache;
mod client;
mod request_error;
pub mod service_response;
mod session;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::sync::Mutex;

use self::cache::{CacheInstant, CachedItem, CachedList, Item, ItemCache, Lifetime, RECHECK_AFTER};
use self::request_error::MAX_ATTEMPTS;
use self::service_response::{AttributesId, Entry, List};
use crate::config::{Config, LookupMode};

pub use self::attributes::{Attributes, OwnedAttributes};
pub use self::client::{Client, ClientError};
pub use self::session::{Requests, Session};

/// Looks mysfits up, with a cache that lives from one invocation to the next.
#[derive(Debug)]
pub struct Lookup {
    mode: LookupMode,
    lifetime: Lifetime,
    concurrency: usize,
    cache: Mutex<Cache>,
}

#[derive(Debug)]
struct Cache {
    list: Option<CachedList>,
    last_list_request_failed: bool,
    items: ItemCache,
}

/// The most heap for the attributes that item requests fetch for one batch: twice what the largest response could hold. A batch beyond
/// it could not be delivered anyway, except one with more than 40,000 different small mysfits.
const MAX_BATCH_BYTES: usize = 12 << 20;

/// The result for one mysfit.
#[derive(Clone, Debug, PartialEq)]
pub enum LookupResult {
    /// The service's list has it, with these attributes.
    Listed(AttributesId),
    /// An item request fetched these attributes.
    Found(Arc<OwnedAttributes>),
    /// There is no such mysfit.
    Unknown,
    /// The service responded, but a wanted attribute is missing or can't be written to a line.
    Incomplete,
    /// The mysfits of this batch have more attributes than a response can hold.
    OverBudget,
    /// No request was sent, or none succeeded.
    Failed,
}

/// The results for one batch.
#[derive(Debug, Default)]
pub struct LookupResults {
    /// One for each id, in the order of the ids.
    pub by_id: Vec<LookupResult>,
    /// Whether failures concern single mysfits. Then the batch must not fail: one invalid mysfit would stop the stream.
    ///
    /// True if nothing failed, if any mysfit has attributes, or if the service responded for any in this invocation. Cached results
    /// "unknown" and "incomplete" are not enough: they would hide no outage.
    pub service_available: bool,
    /// How many mysfits were served from a stale value.
    pub stale: usize,
    /// The age of the list that served mysfits.
    pub list_age: Option<Duration>,
    /// Holds the attributes of each [`LookupResult::Listed`].
    list: Option<Arc<List>>,
}

impl LookupResults {
    /// The attributes of the mysfit whose id has that index.
    #[must_use]
    pub fn attributes(&self, mysfit: usize) -> Option<Attributes<'_>> {
        match &self.by_id[mysfit] {
            LookupResult::Listed(id) => self.list.as_ref().map(|list| list.attributes(*id)),
            LookupResult::Found(attributes) => Some(attributes.view()),
            LookupResult::Unknown | LookupResult::Incomplete | LookupResult::OverBudget | LookupResult::Failed => None,
        }
    }
}

impl Lookup {
    /// A look-up with an empty cache.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            mode: config.lookup_mode,
            lifetime: Lifetime { fresh: config.cache, stale: config.stale },
            concurrency: config.concurrency,
            cache: Mutex::new(Cache { list: None, last_list_request_failed: false, items: ItemCache::new() }),
        }
    }

    /// Looks up the distinct `ids`, whose characters must be valid in a URL's path.
    pub async fn look_up(&self, ids: &[&str], session: &Session<'_>) -> LookupResults {
        if ids.is_empty() {
            return LookupResults::default();
        }
        let mut cache = self.cache.lock().await;
        let mut results = match self.mode {
            LookupMode::List => self.by_list(ids, &mut cache, session).await,
            LookupMode::Item => self.by_items(ids, &mut cache.items, session, false, Duration::ZERO).await,
        };
        results.service_available |= !results.by_id.contains(&LookupResult::Failed)
            || results.by_id.iter().any(|result| matches!(result, LookupResult::Listed(_) | LookupResult::Found(_)));
        results
    }

    async fn by_list(&self, ids: &[&str], cache: &mut Cache, session: &Session<'_>) -> LookupResults {
        let requested_at = CacheInstant::now();
        let cached = cache.list.as_ref();
        let cached_entries = cached.and_then(|list| list.fresh_entries(ids, &self.lifetime, requested_at));
        let is_servable = cached.is_some_and(|list| list.is_servable(&self.lifetime, requested_at));
        let updated = cached_entries.is_none() && cache.update_list(requested_at, is_servable, session).await;
        let is_current = cached_entries.is_some() || updated;
        let Cache { list, items, .. } = cache;

        let now = CacheInstant::now();
        let Some(list) = list.as_ref().filter(|list| is_current || list.is_servable(&self.lifetime, now)) else {
            return LookupResults { by_id: vec![LookupResult::Failed; ids.len()], ..LookupResults::default() };
        };
        let is_stale = !is_current && !list.is_fresh(&self.lifetime, now);
        let mut results = LookupResults {
            by_id: Vec::with_capacity(ids.len()),
            list_age: Some(list.since.age_at(now)),
            list: Some(list.list.clone()),
            ..LookupResults::default()
        };
        let mut partial = Vec::new();
        let entries = cached_entries.unwrap_or_else(|| list.entries(ids));
        for (index, entry) in entries.into_iter().enumerate() {
            results.by_id.push(match entry {
                Some(Entry::Complete(attributes)) => {
                    results.stale += usize::from(is_stale);
                    LookupResult::Listed(attributes)
                }
                Some(Entry::Partial) => {
                    partial.push(index);
                    LookupResult::Failed
                }
                None if is_current => LookupResult::Unknown,
                // The mysfit may be newer than the list.
                None => LookupResult::Failed,
            });
        }
        if !partial.is_empty() {
            let partial_ids: Vec<&str> = partial.iter().map(|index| ids[*index]).collect();
            // An item request that failed after the list was fetched is not repeated for a while. One that failed earlier may have
            // failed in an outage that is over.
            let failed_within =
                if is_stale { Duration::ZERO } else { RECHECK_AFTER.min(list.since.age_at(CacheInstant::now())) };
            let found = self.by_items(&partial_ids, items, session, !is_current, failed_within).await;
            results.stale += found.stale;
            results.service_available |= found.service_available;
            for (index, result) in partial.into_iter().zip(found.by_id) {
                results.by_id[index] = result;
            }
        }
        let mut failed = ids.iter().zip(&results.by_id).filter(|(_, result)| **result == LookupResult::Failed);
        // A fresh list counts as a response of the service. A stale one does not, if the service failed for a mysfit in it.
        results.service_available |= !is_stale || failed.all(|(id, _)| list.list.get(id).is_none());
        results
    }

    /// Requests each of `ids` that is not cached and did not fail within `failed_within`. With `accept_stale`, a stale value is
    /// served without a request.
    async fn by_items(
        &self,
        ids: &[&str],
        items: &mut ItemCache,
        session: &Session<'_>,
        accept_stale: bool,
        failed_within: Duration,
    ) -> LookupResults {
        let now = CacheInstant::now();
        let mut results = LookupResults { by_id: vec![LookupResult::Failed; ids.len()], ..LookupResults::default() };
        let budget = AttributeBudget(Cell::new(Some(MAX_BATCH_BYTES)));
        let mut wanted = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            let failed_recently = items.failed_recently(id, failed_within, now);
            results.by_id[index] = match items.get(id, &self.lifetime, now) {
                CachedItem::Found(attributes) => budget.found(attributes),
                CachedItem::Unknown => LookupResult::Unknown,
                CachedItem::Incomplete { before: None } => LookupResult::Incomplete,
                CachedItem::Incomplete { before: Some(attributes) } => {
                    results.stale += 1;
                    budget.found(attributes)
                }
                CachedItem::Stale(attributes) if accept_stale || failed_recently => {
                    results.stale += 1;
                    budget.found(attributes)
                }
                CachedItem::Stale(attributes) => {
                    wanted.push((index, Some(attributes)));
                    LookupResult::Failed
                }
                CachedItem::Missing => {
                    if !failed_recently {
                        wanted.push((index, None));
                    }
                    LookupResult::Failed
                }
            };
        }
        // A few failures in a row end the session, and some services fail for unknown ids. So mysfits that exist go first, and those
        // that failed before go last. The rest is shuffled, so that no client can choose the order.
        fastrand::shuffle(&mut wanted);
        wanted.sort_by_key(|(index, stale)| (stale.is_none(), items.failed_before(ids[*index])));
        let mut responses = stream::iter(wanted)
            .map(async |(index, stale)| {
                let response = if budget.is_used_up() { None } else { Some(session.item(ids[index]).await) };
                (index, stale, response)
            })
            .buffer_unordered(self.concurrency);
        while let Some((index, stale, response)) = responses.next().await {
            let id = ids[index];
            let item = match response {
                Some(Ok(item)) => {
                    results.service_available = true;
                    items.put(id, item.clone(), now);
                    Some(item)
                }
                Some(Err(error)) => {
                    if error.was_sent() {
                        items.put_failure(id, now);
                    }
                    None
                }
                None => {
                    results.by_id[index] = LookupResult::OverBudget;
                    continue;
                }
            };
            results.by_id[index] = match (item, stale) {
                (None | Some(Item::Incomplete), Some(stale)) => {
                    results.stale += 1;
                    budget.found(stale)
                }
                (Some(Item::Found(attributes)), _) => budget.found(attributes),
                (Some(Item::Unknown), _) => LookupResult::Unknown,
                (Some(Item::Incomplete), None) => LookupResult::Incomplete,
                (None, None) => LookupResult::Failed,
            };
        }
        results
    }
}

/// How much heap a batch's attributes may still take; `None` once some did not fit.
struct AttributeBudget(Cell<Option<usize>>);

impl AttributeBudget {
    fn is_used_up(&self) -> bool {
        self.0.get().is_none()
    }

    fn found(&self, attributes: Arc<OwnedAttributes>) -> LookupResult {
        let left = self.0.get().and_then(|left| left.checked_sub(attributes.heap_bytes()));
        self.0.set(left);
        if left.is_some() { LookupResult::Found(attributes) } else { LookupResult::OverBudget }
    }
}

impl Cache {
    /// Requests the list; returns whether it was updated.
    ///
    /// While a stale list is acceptable, an outage costs one attempt a batch: it shows whether the service is back.
    async fn update_list(&mut self, since: CacheInstant, accept_stale: bool, session: &Session<'_>) -> bool {
        let attempts = if self.last_list_request_failed && accept_stale { 1 } else { MAX_ATTEMPTS };
        let list = session.list(attempts).await;
        self.last_list_request_failed = list.is_err();
        // The session records the error.
        let Ok(list) = list else { return false };
        self.list = Some(CachedList { list: Arc::new(list), since });
        true
    }
}
