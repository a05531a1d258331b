//! Looks keys up: cached values first, then as few requests to the service as possible. The crate's only network I/O.
//!
//! This module handles URLs, retries, time and freshness. It does not handle events or Firehose.

mod attributes;
mod cache;
mod client;
mod connection;
mod exchange;
mod request_error;
mod secret;
pub mod service_response;
mod texts;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::sync::Mutex;

use self::cache::{CacheInstant, CachedItem, CachedList, Item, ItemCache, Lifetime, RECHECK_AFTER};
use self::request_error::MAX_ATTEMPTS;
use self::service_response::{AttributesId, List, ListEntry};
use crate::config::{Config, LookupMode};

pub use self::attributes::{Attributes, OwnedAttributes};
pub use self::client::{Requests, ServiceClient};
pub use self::connection::{ServiceConnection, TlsError};

/// Looks keys up, with a cache that lives from one invocation to the next.
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
/// it could not be delivered anyway, except one with more than 40,000 different small items.
const MAX_BATCH_BYTES: usize = 12 << 20;

/// The result for one key.
#[derive(Clone, Debug, PartialEq)]
pub enum LookupResult {
    /// The service's list has it, with these attributes.
    Listed(AttributesId),
    /// An item request fetched these attributes.
    Found(Arc<OwnedAttributes>),
    /// The service does not know the key.
    Unknown,
    /// The service responded, but a wanted attribute is missing or can't be written to a line.
    Incomplete,
    /// The keys of this batch have more attributes than a response can hold.
    OverBudget,
    /// No request was sent, or none succeeded.
    Failed,
}

/// The results for one batch.
#[derive(Debug, Default)]
pub struct LookupResults {
    /// One for each key, in the order of the keys.
    pub by_key: Vec<LookupResult>,
    /// Whether failures concern single keys. Then the batch must not fail: one invalid item would stop the stream.
    pub service_available: bool,
    /// How many keys were served from a stale value.
    pub stale: usize,
    /// The age of the list that served keys.
    pub list_age: Option<Duration>,
    list: Option<Arc<List>>,
    list_is_stale: bool,
    /// Whether an item request of this batch got a response.
    has_item_response: bool,
}

impl LookupResults {
    /// The attributes of the key with that index.
    #[must_use]
    pub fn attributes(&self, key: usize) -> Option<Attributes<'_>> {
        match &self.by_key[key] {
            LookupResult::Listed(key) => self.list.as_ref().map(|list| list.attributes(*key)),
            LookupResult::Found(attributes) => Some(attributes.view()),
            LookupResult::Unknown | LookupResult::Incomplete | LookupResult::OverBudget | LookupResult::Failed => None,
        }
    }

    fn failed(keys: usize) -> Self {
        Self { by_key: vec![LookupResult::Failed; keys], ..Self::default() }
    }

    /// Replaces the results at `indices` by those of item requests.
    fn merge_items(&mut self, indices: Vec<usize>, items: Self) {
        self.stale += items.stale;
        self.has_item_response |= items.has_item_response;
        for (index, result) in indices.into_iter().zip(items.by_key) {
            self.by_key[index] = result;
        }
    }

    /// True if nothing failed, if any key has attributes, or if the service responded for any key in this invocation. Cached results
    /// "unknown" and "incomplete" are not enough: they would hide no outage.
    ///
    /// A list that was fetched or is still fresh counts as a response, too: a single item that fails must not fail its batch. So does a
    /// stale list that has none of the keys that failed, because those may be made up.
    fn is_available(&self, keys: &[&str]) -> bool {
        let mut failed = keys.iter().zip(&self.by_key).filter(|(_, result)| **result == LookupResult::Failed);
        let list_counts =
            |list: &Arc<List>| !self.list_is_stale || failed.clone().all(|(key, _)| list.get(key).is_none());
        self.has_item_response
            || self.by_key.iter().any(|result| matches!(result, LookupResult::Listed(_) | LookupResult::Found(_)))
            || self.list.as_ref().is_some_and(list_counts)
            || failed.next().is_none()
    }
}

/// A list that may serve a batch.
struct UsableList {
    list: Arc<List>,
    /// One for each key.
    entries: Vec<Option<ListEntry>>,
    age: Duration,
    /// Whether it is known to lack no key: it was fetched now, or is fresh and needs no request.
    is_current: bool,
    is_stale: bool,
}

impl Lookup {
    /// A look-up with an empty cache.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            mode: config.lookup_mode.clone(),
            lifetime: Lifetime { fresh: config.cache, stale: config.stale },
            concurrency: config.concurrency,
            cache: Mutex::new(Cache { list: None, last_list_request_failed: false, items: ItemCache::new() }),
        }
    }

    /// Looks up the distinct `keys`, whose characters must be valid in a URL.
    pub async fn look_up(&self, keys: &[&str], client: &ServiceClient<'_>) -> LookupResults {
        if keys.is_empty() {
            return LookupResults::default();
        }
        let mut cache = self.cache.lock().await;
        let mut results = match &self.mode {
            LookupMode::List { list, item, .. } => self.by_list(keys, list, item.as_deref(), &mut cache, client).await,
            LookupMode::Item { item } => {
                self.by_items(keys, item, &mut cache.items, client, false, Duration::ZERO).await
            }
        };
        results.service_available = results.is_available(keys);
        results
    }

    async fn by_list(
        &self,
        keys: &[&str],
        path: &str,
        item_path: Option<&str>,
        cache: &mut Cache,
        client: &ServiceClient<'_>,
    ) -> LookupResults {
        let Some(list) = self.refresh_list(keys, path, cache, client).await else {
            return LookupResults::failed(keys.len());
        };
        // A request for an item that failed before the list was fetched may have failed in an outage that is over.
        let failed_within = if list.is_stale { Duration::ZERO } else { RECHECK_AFTER.min(list.age) };
        let accept_stale = !list.is_current;
        let (mut results, partial) = results_of_list(list);
        match item_path {
            _ if partial.is_empty() => {}
            None => {
                client.record_incomplete(path);
                for index in partial {
                    results.by_key[index] = LookupResult::Incomplete;
                }
            }
            Some(item_path) => {
                let keys: Vec<&str> = partial.iter().map(|index| keys[*index]).collect();
                let items =
                    self.by_items(&keys, item_path, &mut cache.items, client, accept_stale, failed_within).await;
                results.merge_items(partial, items);
            }
        }
        results
    }

    /// Requests the list if the cached one is not fresh, or may lack a key. `None` if there is none that may serve.
    async fn refresh_list(
        &self,
        keys: &[&str],
        path: &str,
        cache: &mut Cache,
        client: &ServiceClient<'_>,
    ) -> Option<UsableList> {
        let requested_at = CacheInstant::now();
        let cached = cache.list.as_ref();
        let entries = cached.and_then(|list| list.fresh_entries(keys, &self.lifetime, requested_at));
        let is_servable = cached.is_some_and(|list| self.lifetime.is_servable(list.since.age_at(requested_at)));
        let is_current = entries.is_some() || cache.update_list(path, requested_at, is_servable, client).await;
        let list = cache.list.as_ref()?;
        let age = list.since.age_at(CacheInstant::now());
        (is_current || self.lifetime.is_servable(age)).then(|| UsableList {
            list: Arc::clone(&list.list),
            entries: entries.unwrap_or_else(|| list.entries(keys)),
            age,
            is_current,
            is_stale: !is_current && !self.lifetime.is_fresh(age),
        })
    }

    /// A key that failed within `failed_within` is not requested again. With `accept_stale`, neither is one with a stale value.
    async fn by_items(
        &self,
        keys: &[&str],
        path: &str,
        items: &mut ItemCache,
        client: &ServiceClient<'_>,
        accept_stale: bool,
        failed_within: Duration,
    ) -> LookupResults {
        let now = CacheInstant::now();
        let mut results = LookupResults::failed(keys.len());
        let budget = AttributeBudget(Cell::new(Some(MAX_BATCH_BYTES)));
        let mut wanted = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let failed_recently = items.failed_at(key).is_some_and(|at| at.age_at(now) < failed_within);
            let CachedItem { item, stale } = items.get(key, &self.lifetime, now);
            if item.is_none() && !failed_recently && !(accept_stale && stale.is_some()) {
                wanted.push((index, stale));
            } else {
                results.by_key[index] = budget.result(item, stale, &mut results.stale);
            }
        }
        // A few failures in a row open the circuit, and some services fail for unknown keys. So items that exist go first, and those
        // that failed before go last. The rest is shuffled, so that no client can choose the order.
        fastrand::shuffle(&mut wanted);
        wanted.sort_by_key(|(index, stale)| (stale.is_none(), items.failed_at(keys[*index]).is_some()));
        let mut responses = stream::iter(wanted)
            .map(async |(index, stale)| {
                let response = if budget.is_used_up() { None } else { Some(client.item(path, keys[index]).await) };
                (index, stale, response)
            })
            .buffer_unordered(self.concurrency);
        while let Some((index, stale, response)) = responses.next().await {
            let item = match response {
                Some(Ok(item)) => {
                    results.has_item_response = true;
                    items.put(keys[index], item.clone(), now);
                    Some(item)
                }
                Some(Err(error)) => {
                    if error.was_sent() {
                        items.put_failure(keys[index], now);
                    }
                    None
                }
                None => {
                    results.by_key[index] = LookupResult::OverBudget;
                    continue;
                }
            };
            results.by_key[index] = budget.result(item, stale, &mut results.stale);
        }
        results
    }
}

/// The results, and the indices of those that lack an attribute in the list; these are `Failed` until an item request has succeeded.
fn results_of_list(list: UsableList) -> (LookupResults, Vec<usize>) {
    let UsableList { list, entries, age, is_current, is_stale } = list;
    let mut results = LookupResults {
        by_key: Vec::with_capacity(entries.len()),
        list_age: Some(age),
        list: Some(list),
        list_is_stale: is_stale,
        ..LookupResults::default()
    };
    let mut partial = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        results.by_key.push(match entry {
            Some(ListEntry::Complete(attributes)) => {
                results.stale += usize::from(is_stale);
                LookupResult::Listed(attributes)
            }
            Some(ListEntry::Partial) => {
                partial.push(index);
                LookupResult::Failed
            }
            None if is_current => LookupResult::Unknown,
            // The item may be newer than the list.
            None => LookupResult::Failed,
        });
    }
    (results, partial)
}

/// The heap bytes that a batch's attributes may still take; `None` once some did not fit.
struct AttributeBudget(Cell<Option<usize>>);

impl AttributeBudget {
    fn is_used_up(&self) -> bool {
        self.0.get().is_none()
    }

    /// The result for an item; for one that is incomplete or not known, that for its stale attributes, which is counted.
    fn result(&self, item: Option<Item>, stale: Option<Arc<OwnedAttributes>>, stale_count: &mut usize) -> LookupResult {
        match (item, stale) {
            (None | Some(Item::Incomplete), Some(stale)) => {
                *stale_count += 1;
                self.found(stale)
            }
            (Some(Item::Found(attributes)), _) => self.found(attributes),
            (Some(Item::Unknown), _) => LookupResult::Unknown,
            (Some(Item::Incomplete), None) => LookupResult::Incomplete,
            (None, None) => LookupResult::Failed,
        }
    }

    fn found(&self, attributes: Arc<OwnedAttributes>) -> LookupResult {
        let left = self.0.get().and_then(|left| left.checked_sub(attributes.heap_bytes()));
        self.0.set(left);
        if left.is_some() { LookupResult::Found(attributes) } else { LookupResult::OverBudget }
    }
}

impl Cache {
    /// Returns whether it was updated. With a stale list, one attempt a batch shows whether the service is back.
    async fn update_list(
        &mut self,
        path: &str,
        since: CacheInstant,
        accept_stale: bool,
        client: &ServiceClient<'_>,
    ) -> bool {
        let attempts = if self.last_list_request_failed && accept_stale { 1 } else { MAX_ATTEMPTS };
        let list = client.list(path, attempts).await;
        self.last_list_request_failed = list.is_err();
        // The client records the error.
        let Ok(list) = list else { return false };
        self.list = Some(CachedList { list: Arc::new(list), since });
        true
    }
}
