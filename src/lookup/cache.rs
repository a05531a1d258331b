//! The cached list and items, and their freshness.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lru::LruCache;

use super::attributes::OwnedAttributes;
use super::service_response::{List, ListEntry};

/// Long enough to absorb random keys, short enough that events with a new or fixed item do not fail for long.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// A key that the list lacks causes at most one new list request in this time, however many unknown keys arrive. A failed item request
/// is not repeated within this time either, if a fresh list has the item.
pub(super) const RECHECK_AFTER: Duration = Duration::from_secs(10);
/// The most heap for found items: about 19,000 with three short attributes.
const MAX_FOUND_BYTES: usize = 8 << 20;
/// The most heap for keys without attributes: about 18,000 of 36 characters.
const MAX_NEGATIVE_BYTES: usize = 4 << 20;
/// Without the heap of its value: a node of 96 bytes, 17 to 58 bytes in a hash table that doubles, and the key. A test counts it.
const ENTRY_BYTES: usize = 200;

#[derive(Clone, Copy, Debug)]
pub(super) struct CacheInstant {
    monotonic: Instant,
    wall: SystemTime,
}

impl CacheInstant {
    pub(super) fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// The monotonic clock may stop while Lambda freezes the environment, and the wall clock may be set back.
    pub(super) fn age_at(self, now: Self) -> Duration {
        let monotonic = now.monotonic.saturating_duration_since(self.monotonic);
        monotonic.max(now.wall.duration_since(self.wall).unwrap_or_default())
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub(super) fresh: Duration,
    pub(super) stale: Duration,
}

impl Lifetime {
    pub(super) fn is_fresh(&self, age: Duration) -> bool {
        age < self.fresh
    }

    pub(super) fn is_servable(&self, age: Duration) -> bool {
        age < self.fresh + self.stale
    }
}

#[derive(Debug)]
pub(super) struct CachedList {
    pub(super) list: Arc<List>,
    pub(super) since: CacheInstant,
}

impl CachedList {
    pub(super) fn entries(&self, keys: &[&str]) -> Vec<Option<ListEntry>> {
        keys.iter().map(|key| self.list.get(key)).collect()
    }

    /// `None` if a request is needed. A list that lacks a key counts only for [`RECHECK_AFTER`].
    pub(super) fn fresh_entries(
        &self,
        keys: &[&str],
        lifetime: &Lifetime,
        now: CacheInstant,
    ) -> Option<Vec<Option<ListEntry>>> {
        let age = self.since.age_at(now);
        let entries = lifetime.is_fresh(age).then(|| self.entries(keys))?;
        (age <= RECHECK_AFTER || entries.iter().all(Option::is_some)).then_some(entries)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Found(Arc<OwnedAttributes>),
    Unknown,
    Incomplete,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum NegativeEntry {
    Unknown,
    Incomplete,
    /// Such keys are requested last.
    Failed,
}

/// Keys without attributes have their own cache, so that unknown keys never evict an item that exists.
#[derive(Debug)]
pub(super) struct ItemCache {
    found: BoundedCache<(Arc<OwnedAttributes>, CacheInstant)>,
    negative: BoundedCache<(NegativeEntry, CacheInstant)>,
}

pub(super) struct CachedItem {
    /// What is known, if it is fresh.
    pub(super) item: Option<Item>,
    /// The attributes from before, while they are acceptable.
    pub(super) stale: Option<Arc<OwnedAttributes>>,
}

impl ItemCache {
    pub(super) fn new() -> Self {
        Self { found: BoundedCache::new(MAX_FOUND_BYTES), negative: BoundedCache::new(MAX_NEGATIVE_BYTES) }
    }

    pub(super) fn get(&mut self, key: &str, lifetime: &Lifetime, now: CacheInstant) -> CachedItem {
        let negative =
            self.negative.get(key).filter(|(_, since)| since.age_at(now) < UNKNOWN_FOR).map(|(entry, _)| *entry);
        let found = self.found.get(key).map(|(attributes, since)| (attributes.clone(), since.age_at(now)));
        let found = found.filter(|(_, age)| lifetime.is_servable(*age));
        match (negative, found) {
            (Some(NegativeEntry::Unknown), _) => CachedItem { item: Some(Item::Unknown), stale: None },
            (Some(NegativeEntry::Incomplete), found) => {
                CachedItem { item: Some(Item::Incomplete), stale: found.map(|(attributes, _)| attributes) }
            }
            (_, Some((attributes, age))) if lifetime.is_fresh(age) => {
                CachedItem { item: Some(Item::Found(attributes)), stale: None }
            }
            (_, found) => CachedItem { item: None, stale: found.map(|(attributes, _)| attributes) },
        }
    }

    pub(super) fn put(&mut self, key: &str, item: Item, since: CacheInstant) {
        match item {
            Item::Found(attributes) => {
                self.negative.pop(key);
                let bytes = attributes.heap_bytes();
                self.found.put(key, (attributes, since), bytes);
            }
            Item::Unknown => {
                self.found.pop(key);
                self.negative.put(key, (NegativeEntry::Unknown, since), 0);
            }
            Item::Incomplete => self.negative.put(key, (NegativeEntry::Incomplete, since), 0),
        }
    }

    pub(super) fn put_failure(&mut self, key: &str, since: CacheInstant) {
        self.negative.put(key, (NegativeEntry::Failed, since), 0);
    }

    pub(super) fn failed_at(&self, key: &str) -> Option<CacheInstant> {
        self.negative.peek(key).filter(|(entry, _)| *entry == NegativeEntry::Failed).map(|(_, at)| *at)
    }
}

#[derive(Debug)]
struct BoundedCache<V> {
    entries: LruCache<Box<str>, (V, usize)>,
    bytes: usize,
    max_bytes: usize,
}

impl<V> BoundedCache<V> {
    fn new(max_bytes: usize) -> Self {
        Self { entries: LruCache::unbounded(), bytes: 0, max_bytes }
    }

    fn get(&mut self, key: &str) -> Option<&V> {
        self.entries.get(key).map(|(value, _)| value)
    }

    fn peek(&self, key: &str) -> Option<&V> {
        self.entries.peek(key).map(|(value, _)| value)
    }

    fn put(&mut self, key: &str, value: V, value_bytes: usize) {
        self.pop(key);
        let bytes = ENTRY_BYTES + key.len() + value_bytes;
        if bytes > self.max_bytes {
            return;
        }
        while self.bytes + bytes > self.max_bytes {
            let Some((_, (_, freed))) = self.entries.pop_lru() else { break };
            self.bytes -= freed;
        }
        self.bytes += bytes;
        self.entries.put(key.into(), (value, bytes));
    }

    fn pop(&mut self, key: &str) {
        if let Some((_, bytes)) = self.entries.pop(key) {
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::Config;
    use crate::field::Field;
    use crate::lookup::service_response::ItemFormat;

    const LIFETIME: Lifetime = Lifetime { fresh: Duration::from_secs(300), stale: Duration::from_secs(1000) };

    pub(in crate::lookup) fn later(instant: CacheInstant, seconds: u64) -> CacheInstant {
        let by = Duration::from_secs(seconds);
        CacheInstant { monotonic: instant.monotonic + by, wall: instant.wall + by }
    }

    fn yeti() -> Arc<OwnedAttributes> {
        Arc::new(OwnedAttributes::unknown(&[Field::named("species")]))
    }

    fn get(items: &mut ItemCache, key: &str, now: CacheInstant) -> (Option<Item>, Option<Arc<OwnedAttributes>>) {
        let CachedItem { item, stale } = items.get(key, &LIFETIME, now);
        (item, stale)
    }

    #[test]
    fn an_age_is_the_longer_of_both_clocks() {
        let start = CacheInstant::now();
        let by = Duration::from_secs(60);
        let frozen = CacheInstant { wall: start.wall + by, ..start };
        let set_back = CacheInstant { monotonic: start.monotonic + by, wall: start.wall - by };
        let both_back = CacheInstant { wall: start.wall - by, ..start };
        assert_eq!(start.age_at(frozen), by);
        assert_eq!(start.age_at(set_back), by);
        assert_eq!(start.age_at(both_back), Duration::ZERO);
    }

    #[test]
    fn a_list_serves_while_fresh_and_unknown_keys_while_recent() {
        let since = CacheInstant::now();
        let config = Config::read(&[("LOOKUP_API_URL", "http://127.0.0.1")].into_iter().collect()).unwrap();
        let format = ItemFormat::new(&config);
        let list = crate::lookup::service_response::parse_list(
            br#"[{"mysfitId":"a","goodevil":1,"lawchaos":2,"species":3}]"#,
            &format,
        )
        .unwrap();
        let list = CachedList { list: Arc::new(list), since };
        for (age, keys, expected) in [
            (0, vec!["a"], true),
            (299, vec!["a"], true),
            (300, vec!["a"], false),
            (10, vec!["a", "b"], true),
            (11, vec!["a", "b"], false),
        ] {
            let entries = list.fresh_entries(&keys, &LIFETIME, later(since, age));
            assert_eq!(entries.is_some(), expected, "{keys:?} at {age} s");
        }
        assert!(LIFETIME.is_servable(since.age_at(later(since, 1299))));
        assert!(!LIFETIME.is_servable(since.age_at(later(since, 1300))));
        let never = Lifetime { fresh: Duration::ZERO, stale: Duration::ZERO };
        assert!(list.fresh_entries(&["a"], &never, since).is_none() && !never.is_servable(Duration::ZERO));
    }

    #[test]
    fn items_are_fresh_then_stale_then_evicted_and_negative_entries_last_half_a_minute() {
        let since = CacheInstant::now();
        let mut items = ItemCache::new();
        items.put("a", Item::Found(yeti()), since);
        items.put("b", Item::Unknown, since);
        items.put("c", Item::Incomplete, since);
        items.put_failure("d", since);
        for (key, age, expected) in [
            ("a", 299, (Some(Item::Found(yeti())), None)),
            ("a", 300, (None, Some(yeti()))),
            ("a", 1299, (None, Some(yeti()))),
            ("a", 1300, (None, None)),
            ("b", 29, (Some(Item::Unknown), None)),
            ("b", 30, (None, None)),
            ("c", 29, (Some(Item::Incomplete), None)),
            ("c", 30, (None, None)),
            ("d", 0, (None, None)),
            ("e", 0, (None, None)),
        ] {
            assert_eq!(get(&mut items, key, later(since, age)), expected, "{key} at {age} s");
        }
    }

    #[test]
    fn earlier_attributes_serve_while_the_item_lacks_one() {
        let since = CacheInstant::now();
        let mut items = ItemCache::new();
        items.put("a", Item::Found(yeti()), since);
        items.put("a", Item::Incomplete, later(since, 400));
        for (age, expected) in
            [(401, (Some(Item::Incomplete), Some(yeti()))), (430, (None, Some(yeti()))), (1300, (None, None))]
        {
            assert_eq!(get(&mut items, "a", later(since, age)), expected, "at {age} s");
        }
        items.put("a", Item::Found(yeti()), later(since, 402));
        assert_eq!(
            get(&mut items, "a", later(since, 403)),
            (Some(Item::Found(yeti())), None),
            "the last response counts"
        );
    }

    /// More keys than either cache holds.
    const MANY: usize = 25_000;

    #[test]
    fn items_are_bounded_and_unknown_keys_evict_no_item() {
        let now = CacheInstant::now();
        let mut items = ItemCache::new();
        items.put("popular", Item::Found(yeti()), now);
        for index in 0..MANY {
            let key = index.to_string();
            items.put(&key, Item::Unknown, now);
            items.put_failure(&key, now);
        }
        assert_eq!(get(&mut items, "popular", now), (Some(Item::Found(yeti())), None));
        for index in 0..MANY {
            items.put(&index.to_string(), Item::Found(yeti()), now);
            assert_ne!(get(&mut items, "popular", now), (None, None), "what is used stays");
        }
        assert!((10_000..MANY).contains(&items.found.entries.len()), "{}", items.found.entries.len());
    }

    #[test]
    fn entries_take_no_more_heap_than_counted_and_allowed() {
        let now = CacheInstant::now();
        for (name, key_chars, value) in
            [("short keys", 1, 0), ("long keys", 128, 0), ("usual values", 36, 60), ("large values", 36, 50_000)]
        {
            let mut items = ItemCache::new();
            let mut held = 0;
            let count = MANY / (1 + value / 100);
            for round in 0..2 {
                let heap = allocation_counter::measure(|| {
                    for index in round * count..(round + 1) * count {
                        let key = format!("{index:0key_chars$}");
                        if value == 0 {
                            items.put(&key, Item::Unknown, now);
                        } else {
                            let members = "x".repeat(value);
                            items.put(&key, Item::Found(Arc::new(OwnedAttributes::new(members, vec![0; 3]))), now);
                        }
                    }
                });
                held += heap.bytes_current;
                let counted = items.found.bytes + items.negative.bytes;
                assert!(usize::try_from(held).unwrap() <= counted, "{name}: {held} bytes, {counted} counted");
                assert!(items.found.bytes <= MAX_FOUND_BYTES && items.negative.bytes <= MAX_NEGATIVE_BYTES, "{name}");
            }
            assert!(items.found.bytes.max(items.negative.bytes) > MAX_NEGATIVE_BYTES - 100_000, "{name}: it is full");
        }
    }

    #[test]
    fn a_value_larger_than_the_cache_is_not_cached() {
        let now = CacheInstant::now();
        let mut items = ItemCache::new();
        items.put("popular", Item::Found(yeti()), now);
        let large = OwnedAttributes::new("x".repeat(MAX_FOUND_BYTES), Vec::new());
        items.put("large", Item::Found(Arc::new(large)), now);
        assert_eq!(get(&mut items, "large", now), (None, None));
        assert_eq!(get(&mut items, "popular", now), (Some(Item::Found(yeti())), None));
    }

    #[test]
    fn a_frequent_unknown_key_stays_cached() {
        let now = CacheInstant::now();
        let mut items = ItemCache::new();
        items.put("often", Item::Unknown, now);
        for index in 0..MANY {
            items.put(&index.to_string(), Item::Unknown, now);
            assert_eq!(get(&mut items, "often", now), (Some(Item::Unknown), None));
        }
    }

    #[test]
    fn the_last_response_counts() {
        let now = CacheInstant::now();
        let mut items = ItemCache::new();
        items.put_failure("a", now);
        assert!(items.failed_at("a").is_some());
        items.put("a", Item::Unknown, now);
        assert_eq!(get(&mut items, "a", now), (Some(Item::Unknown), None));
        items.put("a", Item::Found(yeti()), now);
        assert_eq!(get(&mut items, "a", now), (Some(Item::Found(yeti())), None));
        items.put("a", Item::Unknown, now);
        assert_eq!(get(&mut items, "a", later(now, 30)), (None, None), "an item that is gone is not served");
        assert!(items.failed_at("a").is_none());
    }
}
