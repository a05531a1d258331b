//! How old an answer is, and what that makes of it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lru::LruCache;

use super::answer::{Entry, List};
use super::attributes::OwnedAttributes;

/// How long "there is no such mysfit" and "it lacks an attribute" are believed: long enough to bear random ids, short enough
/// that the clicks of a new or a repaired mysfit do not fail for long.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// How young a catalogue is asked for again on behalf of an id that it lacks: at most one request in this time, however
/// many unknown ids come. So long, too, a mysfit is not asked for again that a fresh catalogue has and whose request failed.
pub(super) const RECHECK_AFTER: Duration = Duration::from_secs(10);
/// The heap that mysfits take that were asked for one by one: some 19,000 with the workshop's attributes.
const MAX_FOUND_BYTES: usize = 8 << 20;
/// The heap that ids take for which there are no attributes: some 18,000 of 36 characters.
const MAX_OTHERS_BYTES: usize = 4 << 20;
/// The most heap that an entry takes besides what its value has: a node of 96 bytes, 17 to 58 bytes of a hash table that doubles,
/// and the id's own block. A test counts it.
const ENTRY_BYTES: usize = 200;

/// A moment from which an age is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// The time from this moment to `now`, by the clock that saw more of it: the monotonic one may stand still while
    /// Lambda keeps the function frozen, and the wall clock may be set back.
    pub(super) fn age_at(self, now: Self) -> Duration {
        let monotonic = now.monotonic.saturating_duration_since(self.monotonic);
        monotonic.max(now.wall.duration_since(self.wall).unwrap_or_default())
    }
}

/// How long answers are fresh, and how long after that they serve as a stopgap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub(super) fresh: Duration,
    pub(super) stale: Duration,
}

impl Lifetime {
    fn is_fresh(&self, age: Duration) -> bool {
        age < self.fresh
    }

    fn is_servable(&self, age: Duration) -> bool {
        age < self.fresh + self.stale
    }
}

/// The service's list of mysfits, as of some moment.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) list: Arc<List>,
    pub(super) since: Moment,
}

impl Catalogue {
    /// What the catalogue says of each of `ids`.
    pub(super) fn entries(&self, ids: &[&str]) -> Vec<Option<Entry>> {
        ids.iter().map(|id| self.list.get(id)).collect()
    }

    /// The same, where it answers for `ids` without a request. One that does not know an id is believed while it is young.
    pub(super) fn answers(&self, ids: &[&str], lifetime: &Lifetime, now: Moment) -> Option<Vec<Option<Entry>>> {
        let age = self.since.age_at(now);
        let entries = lifetime.is_fresh(age).then(|| self.entries(ids))?;
        (age <= RECHECK_AFTER || entries.iter().all(Option::is_some)).then_some(entries)
    }

    pub(super) fn is_fresh(&self, lifetime: &Lifetime, now: Moment) -> bool {
        lifetime.is_fresh(self.since.age_at(now))
    }

    pub(super) fn is_servable(&self, lifetime: &Lifetime, now: Moment) -> bool {
        lifetime.is_servable(self.since.age_at(now))
    }
}

/// What the service answered about one mysfit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// It exists, and these are its attributes.
    Found(Arc<OwnedAttributes>),
    /// There is no such mysfit.
    Unknown,
    /// It exists, but lacks an attribute that is wanted, or has one there that can't be carried over.
    Lacking,
}

/// The outcome of the last request for an id without attributes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Other {
    Unknown,
    Lacking,
    /// The request failed. An error is not an answer, so this only says which ids to ask for last.
    Failed,
}

/// Mysfits that were asked for one by one, those used last.
///
/// Ids without attributes have their own cache: however many unknown ids come, they don't push out a mysfit that exists.
#[derive(Debug)]
pub(super) struct Items {
    found: Bounded<(Arc<OwnedAttributes>, Moment)>,
    others: Bounded<(Other, Moment)>,
}

/// What is remembered of one mysfit.
#[derive(Debug, PartialEq)]
pub(super) enum Remembered {
    /// Its attributes, fresh.
    Found(Arc<OwnedAttributes>),
    Unknown,
    /// It lacks an attribute now. `before` has the attributes that it had, as long as they serve.
    Lacking {
        before: Option<Arc<OwnedAttributes>>,
    },
    /// Its attributes, past their time, for when there is no better answer.
    Stale(Arc<OwnedAttributes>),
    Nothing,
}

impl Items {
    pub(super) fn new() -> Self {
        Self { found: Bounded::new(MAX_FOUND_BYTES), others: Bounded::new(MAX_OTHERS_BYTES) }
    }

    pub(super) fn get(&mut self, id: &str, lifetime: &Lifetime, now: Moment) -> Remembered {
        let other = self.others.get(id).filter(|(_, since)| since.age_at(now) < UNKNOWN_FOR).map(|(other, _)| *other);
        let found = self.found.get(id).map(|(attributes, since)| (attributes, since.age_at(now)));
        let found = found.filter(|(_, age)| lifetime.is_servable(*age));
        match (other, found) {
            (Some(Other::Unknown), _) => Remembered::Unknown,
            (Some(Other::Lacking), found) => {
                Remembered::Lacking { before: found.map(|(attributes, _)| attributes.clone()) }
            }
            (_, Some((attributes, age))) if lifetime.is_fresh(age) => Remembered::Found(attributes.clone()),
            (_, Some((attributes, _))) => Remembered::Stale(attributes.clone()),
            (_, None) => Remembered::Nothing,
        }
    }

    /// Remembers the service's answer as of `since`.
    pub(super) fn put(&mut self, id: &str, item: Item, since: Moment) {
        match item {
            Item::Found(attributes) => {
                self.others.pop(id);
                let bytes = attributes.heap_bytes();
                self.found.put(id, (attributes, since), bytes);
            }
            Item::Unknown => {
                self.found.pop(id);
                self.others.put(id, (Other::Unknown, since), 0);
            }
            Item::Lacking => self.others.put(id, (Other::Lacking, since), 0),
        }
    }

    pub(super) fn note_failure(&mut self, id: &str, since: Moment) {
        self.others.put(id, (Other::Failed, since), 0);
    }

    pub(super) fn failed_before(&self, id: &str) -> bool {
        self.failed_at(id).is_some()
    }

    /// Whether the last request for `id` failed, less than `within` before `now`.
    pub(super) fn failed_lately(&self, id: &str, within: Duration, now: Moment) -> bool {
        self.failed_at(id).is_some_and(|at| at.age_at(now) < within)
    }

    fn failed_at(&self, id: &str) -> Option<Moment> {
        self.others.peek(id).filter(|(other, _)| *other == Other::Failed).map(|(_, at)| *at)
    }
}

/// Values by id, those used last: as many as fit into so many bytes of heap.
#[derive(Debug)]
struct Bounded<V> {
    entries: LruCache<Box<str>, (V, usize)>,
    bytes: usize,
    most_bytes: usize,
}

impl<V> Bounded<V> {
    fn new(most_bytes: usize) -> Self {
        Self { entries: LruCache::unbounded(), bytes: 0, most_bytes }
    }

    fn get(&mut self, id: &str) -> Option<&V> {
        self.entries.get(id).map(|(value, _)| value)
    }

    fn peek(&self, id: &str) -> Option<&V> {
        self.entries.peek(id).map(|(value, _)| value)
    }

    /// Remembers `value`, which has `value_bytes` of heap, instead of those that were not used for the longest time.
    fn put(&mut self, id: &str, value: V, value_bytes: usize) {
        self.pop(id);
        let bytes = ENTRY_BYTES + id.len() + value_bytes;
        if bytes > self.most_bytes {
            return;
        }
        while self.bytes + bytes > self.most_bytes {
            let Some((_, (_, freed))) = self.entries.pop_lru() else { break };
            self.bytes -= freed;
        }
        self.bytes += bytes;
        self.entries.put(id.into(), (value, bytes));
    }

    fn pop(&mut self, id: &str) {
        if let Some((_, bytes)) = self.entries.pop(id) {
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Lifetime = Lifetime { fresh: Duration::from_secs(300), stale: Duration::from_secs(1000) };

    fn later(moment: Moment, seconds: u64) -> Moment {
        let by = Duration::from_secs(seconds);
        Moment { monotonic: moment.monotonic + by, wall: moment.wall + by }
    }

    fn yeti() -> Arc<OwnedAttributes> {
        Arc::new(OwnedAttributes::unknown(&["species".to_owned()]))
    }

    #[test]
    fn ages_are_measured_by_the_clock_that_saw_more() {
        let start = Moment::now();
        let by = Duration::from_secs(60);
        let frozen = Moment { wall: start.wall + by, ..start };
        let set_back = Moment { monotonic: start.monotonic + by, wall: start.wall - by };
        let both_back = Moment { wall: start.wall - by, ..start };
        assert_eq!(start.age_at(frozen), by);
        assert_eq!(start.age_at(set_back), by);
        assert_eq!(start.age_at(both_back), Duration::ZERO);
    }

    #[test]
    fn a_catalogue_answers_while_fresh_and_for_unknown_ids_while_young() {
        let since = Moment::now();
        let list = crate::mysfits::answer::list(br#"{"mysfits":[{"mysfitId":"a"}]}"#, &[]).unwrap();
        let catalogue = Catalogue { list: Arc::new(list), since };
        for (age, ids, expected) in [
            (0, vec!["a"], true),
            (299, vec!["a"], true),
            (300, vec!["a"], false),
            (10, vec!["a", "b"], true),
            (11, vec!["a", "b"], false),
        ] {
            let answers = catalogue.answers(&ids, &LIFETIME, later(since, age));
            assert_eq!(answers.is_some(), expected, "{ids:?} at {age} s");
        }
        assert!(catalogue.is_servable(&LIFETIME, later(since, 1299)));
        assert!(!catalogue.is_servable(&LIFETIME, later(since, 1300)));
        let never = Lifetime { fresh: Duration::ZERO, stale: Duration::ZERO };
        assert!(catalogue.answers(&["a"], &never, since).is_none() && !catalogue.is_servable(&never, since));
    }

    #[test]
    fn items_are_fresh_then_stale_then_forgotten_and_others_for_half_a_minute() {
        let since = Moment::now();
        let mut items = Items::new();
        items.put("a", Item::Found(yeti()), since);
        items.put("b", Item::Unknown, since);
        items.put("c", Item::Lacking, since);
        items.note_failure("d", since);
        for (id, age, expected) in [
            ("a", 299, Remembered::Found(yeti())),
            ("a", 300, Remembered::Stale(yeti())),
            ("a", 1299, Remembered::Stale(yeti())),
            ("a", 1300, Remembered::Nothing),
            ("b", 29, Remembered::Unknown),
            ("b", 30, Remembered::Nothing),
            ("c", 29, Remembered::Lacking { before: None }),
            ("c", 30, Remembered::Nothing),
            ("d", 0, Remembered::Nothing),
            ("e", 0, Remembered::Nothing),
        ] {
            assert_eq!(items.get(id, &LIFETIME, later(since, age)), expected, "{id} at {age} s");
        }
    }

    #[test]
    fn what_a_mysfit_had_serves_while_it_lacks_an_attribute() {
        let since = Moment::now();
        let mut items = Items::new();
        items.put("a", Item::Found(yeti()), since);
        items.put("a", Item::Lacking, later(since, 400));
        for (age, expected) in [
            (401, Remembered::Lacking { before: Some(yeti()) }),
            (430, Remembered::Stale(yeti())),
            (1300, Remembered::Nothing),
        ] {
            assert_eq!(items.get("a", &LIFETIME, later(since, age)), expected, "at {age} s");
        }
        items.put("a", Item::Found(yeti()), later(since, 402));
        assert_eq!(items.get("a", &LIFETIME, later(since, 403)), Remembered::Found(yeti()), "the last answer counts");
    }

    /// More ids than either cache holds.
    const MANY: usize = 25_000;

    #[test]
    fn items_are_bounded_and_unknown_ids_push_out_no_mysfit() {
        let now = Moment::now();
        let mut items = Items::new();
        items.put("popular", Item::Found(yeti()), now);
        for index in 0..MANY {
            let id = index.to_string();
            items.put(&id, Item::Unknown, now);
            items.note_failure(&id, now);
        }
        assert_eq!(items.get("popular", &LIFETIME, now), Remembered::Found(yeti()));
        for index in 0..MANY {
            items.put(&index.to_string(), Item::Found(yeti()), now);
            assert_ne!(items.get("popular", &LIFETIME, now), Remembered::Nothing, "what is used stays");
        }
        assert!((10_000..MANY).contains(&items.found.entries.len()), "{}", items.found.entries.len());
    }

    #[test]
    fn no_entries_take_more_heap_than_is_counted_or_than_may_be() {
        let now = Moment::now();
        for (name, id_chars, value) in
            [("short ids", 1, 0), ("long ids", 128, 0), ("usual values", 36, 60), ("large values", 36, 50_000)]
        {
            let mut items = Items::new();
            let mut held = 0;
            let count = MANY / (1 + value / 100);
            for round in 0..2 {
                let heap = allocation_counter::measure(|| {
                    for index in round * count..(round + 1) * count {
                        let id = format!("{index:0id_chars$}");
                        if value == 0 {
                            items.put(&id, Item::Unknown, now);
                        } else {
                            let members = "x".repeat(value);
                            items.put(&id, Item::Found(Arc::new(OwnedAttributes::new(members, vec![0; 3]))), now);
                        }
                    }
                });
                held += heap.bytes_current;
                let counted = items.found.bytes + items.others.bytes;
                assert!(usize::try_from(held).unwrap() <= counted, "{name}: {held} bytes, {counted} counted");
                assert!(items.found.bytes <= MAX_FOUND_BYTES && items.others.bytes <= MAX_OTHERS_BYTES, "{name}");
            }
            assert!(items.found.bytes.max(items.others.bytes) > MAX_OTHERS_BYTES - 100_000, "{name}: it is full");
        }
    }

    #[test]
    fn what_is_larger_than_all_that_may_be_is_not_remembered() {
        let now = Moment::now();
        let mut items = Items::new();
        items.put("popular", Item::Found(yeti()), now);
        let large = OwnedAttributes::new("x".repeat(MAX_FOUND_BYTES), Vec::new());
        items.put("large", Item::Found(Arc::new(large)), now);
        assert_eq!(items.get("large", &LIFETIME, now), Remembered::Nothing);
        assert_eq!(items.get("popular", &LIFETIME, now), Remembered::Found(yeti()));
    }

    #[test]
    fn an_unknown_id_that_keeps_coming_stays_known_as_one() {
        let now = Moment::now();
        let mut items = Items::new();
        items.put("often", Item::Unknown, now);
        for index in 0..MANY {
            items.put(&index.to_string(), Item::Unknown, now);
            assert_eq!(items.get("often", &LIFETIME, now), Remembered::Unknown);
        }
    }

    #[test]
    fn the_last_answer_counts() {
        let now = Moment::now();
        let mut items = Items::new();
        items.note_failure("a", now);
        assert!(items.failed_before("a"));
        for (age, within, expected) in [(9, 10, true), (10, 10, false), (5, 5, false), (0, 0, false)] {
            let failed = items.failed_lately("a", Duration::from_secs(within), later(now, age));
            assert_eq!(failed, expected, "at {age} s, within {within} s");
        }
        items.put("a", Item::Unknown, now);
        assert_eq!(items.get("a", &LIFETIME, now), Remembered::Unknown);
        items.put("a", Item::Found(yeti()), now);
        assert_eq!(items.get("a", &LIFETIME, now), Remembered::Found(yeti()));
        items.put("a", Item::Unknown, now);
        assert_eq!(
            items.get("a", &LIFETIME, later(now, 30)),
            Remembered::Nothing,
            "a mysfit that is gone is not served"
        );
        assert!(!items.failed_before("a"));
    }
}
