//! Looks keys up: cached values first, then as few requests to the service as possible. The crate's only network I/O.
//!
//! This module handles URLs, retries, time and freshness. It does not handle events or Firehose.

mod attributes;
mod cache;
mod client;
mod request_error;
mod secret;
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
    ///
    /// True if nothing failed, if any key has attributes, or if the service responded for any in this invocation. Cached results
    /// "unknown" and "incomplete" are not enough: they would hide no outage.
    pub service_available: bool,
    /// How many keys were served from a stale value.
    pub stale: usize,
    /// The age of the list that served keys.
    pub list_age: Option<Duration>,
    list: Option<Arc<List>>,
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
    pub async fn look_up(&self, keys: &[&str], session: &Session<'_>) -> LookupResults {
        if keys.is_empty() {
            return LookupResults::default();
        }
        let mut cache = self.cache.lock().await;
        let mut results = match &self.mode {
            LookupMode::List { list, item } => self.by_list(keys, list, item.as_deref(), &mut cache, session).await,
            LookupMode::Item { item } => {
                self.by_items(keys, item, &mut cache.items, session, false, Duration::ZERO).await
            }
        };
        results.service_available |= !results.by_key.contains(&LookupResult::Failed)
            || results.by_key.iter().any(|result| matches!(result, LookupResult::Listed(_) | LookupResult::Found(_)));
        results
    }

    async fn by_list(
        &self,
        keys: &[&str],
        path: &str,
        item_path: Option<&str>,
        cache: &mut Cache,
        session: &Session<'_>,
    ) -> LookupResults {
        let requested_at = CacheInstant::now();
        let cached = cache.list.as_ref();
        let cached_entries = cached.and_then(|list| list.fresh_entries(keys, &self.lifetime, requested_at));
        let is_servable = cached.is_some_and(|list| self.lifetime.is_servable(list.since.age_at(requested_at)));
        let updated = cached_entries.is_none() && cache.update_list(path, requested_at, is_servable, session).await;
        let is_current = cached_entries.is_some() || updated;
        let Cache { list, items, .. } = cache;

        let now = CacheInstant::now();
        let is_usable = |list: &&CachedList| is_current || self.lifetime.is_servable(list.since.age_at(now));
        let Some(list) = list.as_ref().filter(is_usable) else {
            return LookupResults { by_key: vec![LookupResult::Failed; keys.len()], ..LookupResults::default() };
        };
        let is_stale = !is_current && !self.lifetime.is_fresh(list.since.age_at(now));
        let mut results = LookupResults {
            by_key: Vec::with_capacity(keys.len()),
            list_age: Some(list.since.age_at(now)),
            list: Some(list.list.clone()),
            ..LookupResults::default()
        };
        let mut partial = Vec::new();
        let entries = cached_entries.unwrap_or_else(|| list.entries(keys));
        for (index, entry) in entries.into_iter().enumerate() {
            results.by_key.push(match entry {
                Some(Entry::Complete(attributes)) => {
                    results.stale += usize::from(is_stale);
                    LookupResult::Listed(attributes)
                }
                Some(Entry::Partial) if item_path.is_some() => {
                    partial.push(index);
                    LookupResult::Failed
                }
                Some(Entry::Partial) => {
                    session.record_incomplete(path);
                    LookupResult::Incomplete
                }
                None if is_current => LookupResult::Unknown,
                // The item may be newer than the list.
                None => LookupResult::Failed,
            });
        }
        if let Some(item_path) = item_path.filter(|_| !partial.is_empty()) {
            let partial_keys: Vec<&str> = partial.iter().map(|index| keys[*index]).collect();
            // A request for an item that failed before the list was fetched may have failed in an outage that is over.
            let failed_within =
                if is_stale { Duration::ZERO } else { RECHECK_AFTER.min(list.since.age_at(CacheInstant::now())) };
            let found = self.by_items(&partial_keys, item_path, items, session, !is_current, failed_within).await;
            results.stale += found.stale;
            results.service_available |= found.service_available;
            for (index, result) in partial.into_iter().zip(found.by_key) {
                results.by_key[index] = result;
            }
        }
        let mut failed = keys.iter().zip(&results.by_key).filter(|(_, result)| **result == LookupResult::Failed);
        // A fresh list counts as a response of the service. A stale one does not, if the service failed for an item in it.
        results.service_available |= !is_stale || failed.all(|(key, _)| list.list.get(key).is_none());
        results
    }

    /// A key that failed within `failed_within` is not requested again. With `accept_stale`, neither is one with a stale value.
    async fn by_items(
        &self,
        keys: &[&str],
        path: &str,
        items: &mut ItemCache,
        session: &Session<'_>,
        accept_stale: bool,
        failed_within: Duration,
    ) -> LookupResults {
        let now = CacheInstant::now();
        let mut results = LookupResults { by_key: vec![LookupResult::Failed; keys.len()], ..LookupResults::default() };
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
        // A few failures in a row end the session, and some services fail for unknown keys. So items that exist go first, and those
        // that failed before go last. The rest is shuffled, so that no client can choose the order.
        fastrand::shuffle(&mut wanted);
        wanted.sort_by_key(|(index, stale)| (stale.is_none(), items.failed_at(keys[*index]).is_some()));
        let mut responses = stream::iter(wanted)
            .map(async |(index, stale)| {
                let response = if budget.is_used_up() { None } else { Some(session.item(path, keys[index]).await) };
                (index, stale, response)
            })
            .buffer_unordered(self.concurrency);
        while let Some((index, stale, response)) = responses.next().await {
            let item = match response {
                Some(Ok(item)) => {
                    results.service_available = true;
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
        session: &Session<'_>,
    ) -> bool {
        let attempts = if self.last_list_request_failed && accept_stale { 1 } else { MAX_ATTEMPTS };
        let list = session.list(path, attempts).await;
        self.last_list_request_failed = list.is_err();
        // The session records the error.
        let Ok(list) = list else { return false };
        self.list = Some(CachedList { list: Arc::new(list), since });
        true
    }
}
