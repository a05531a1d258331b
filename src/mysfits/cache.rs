//! How old an answer is, and what that makes of it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lru::LruCache;

use super::answer::{Attributes, Entry, List};

/// How long "there is no such mysfit" is believed: long enough to bear a stranger's random ids, short enough that a new
/// mysfit's clicks do not fail for long.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// How young a catalogue is asked for again on behalf of an id that it lacks: at most one request in this time, however
/// many unknown ids come.
const RECHECK_AFTER: Duration = Duration::from_secs(10);
/// The most mysfits that are remembered one by one: some 3 MB with the workshop's attributes.
const MAX_ITEMS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

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
    pub(super) list: List,
    pub(super) since: Moment,
}

impl Catalogue {
    /// What the catalogue says of each of `ids`.
    pub(super) fn entries(&self, ids: &[&str]) -> Vec<Option<Entry>> {
        ids.iter().map(|id| self.list.get(*id).cloned()).collect()
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

/// Mysfits that were asked for one by one, those used last.
///
/// Strangers have their own room: however many ids are made up, they don't push out a mysfit that exists.
#[derive(Debug)]
pub(super) struct Items {
    found: LruCache<Box<str>, (Arc<Attributes>, Moment)>,
    unknown: LruCache<Box<str>, Moment>,
    /// Those that failed when they were last asked for. Only a hint whom to ask last: an error is not an answer.
    failed: LruCache<Box<str>, ()>,
}

/// What is remembered of one mysfit.
#[derive(Debug, PartialEq)]
pub(super) enum Remembered {
    /// A fresh answer; `None` says that there is no such mysfit.
    Fresh(Option<Arc<Attributes>>),
    /// An answer past its time, for when no better one can be had.
    Stale(Arc<Attributes>),
    Nothing,
}

impl Items {
    pub(super) fn new() -> Self {
        Self { found: LruCache::new(MAX_ITEMS), unknown: LruCache::new(MAX_ITEMS), failed: LruCache::new(MAX_ITEMS) }
    }

    pub(super) fn get(&mut self, id: &str, lifetime: &Lifetime, now: Moment) -> Remembered {
        if self.unknown.get(id).is_some_and(|since| since.age_at(now) < UNKNOWN_FOR) {
            return Remembered::Fresh(None);
        }
        let Some((attributes, since)) = self.found.get(id) else { return Remembered::Nothing };
        let age = since.age_at(now);
        if lifetime.is_fresh(age) {
            Remembered::Fresh(Some(attributes.clone()))
        } else if lifetime.is_servable(age) {
            Remembered::Stale(attributes.clone())
        } else {
            Remembered::Nothing
        }
    }

    /// Remembers the service's answer as of `since`.
    pub(super) fn put(&mut self, id: &str, attributes: Option<Arc<Attributes>>, since: Moment) {
        self.failed.pop(id);
        if let Some(attributes) = attributes {
            self.unknown.pop(id);
            self.found.put(id.into(), (attributes, since));
        } else {
            self.found.pop(id);
            self.unknown.put(id.into(), since);
        }
    }

    pub(super) fn note_failure(&mut self, id: &str) {
        self.failed.put(id.into(), ());
    }

    pub(super) fn failed_before(&self, id: &str) -> bool {
        self.failed.contains(id)
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

    fn yeti() -> Arc<Attributes> {
        Arc::new(Attributes::unknown(&["species".to_owned()]))
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
        let catalogue = Catalogue { list: List::from_iter([("a".into(), Entry::Complete(yeti()))]), since };
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
    fn items_are_fresh_then_stale_then_forgotten_and_unknown_ones_for_half_a_minute() {
        let since = Moment::now();
        let mut items = Items::new();
        items.put("a", Some(yeti()), since);
        items.put("b", None, since);
        for (id, age, expected) in [
            ("a", 299, Remembered::Fresh(Some(yeti()))),
            ("a", 300, Remembered::Stale(yeti())),
            ("a", 1299, Remembered::Stale(yeti())),
            ("a", 1300, Remembered::Nothing),
            ("b", 29, Remembered::Fresh(None)),
            ("b", 30, Remembered::Nothing),
            ("c", 0, Remembered::Nothing),
        ] {
            assert_eq!(items.get(id, &LIFETIME, later(since, age)), expected, "{id} at {age} s");
        }
    }

    #[test]
    fn items_are_bounded_and_strangers_push_out_no_mysfit() {
        let now = Moment::now();
        let mut items = Items::new();
        items.put("popular", Some(yeti()), now);
        for index in 0..2 * MAX_ITEMS.get() {
            let id = index.to_string();
            items.put(&id, None, now);
            items.note_failure(&id);
        }
        assert_eq!(items.get("popular", &LIFETIME, now), Remembered::Fresh(Some(yeti())));
        for index in 0..2 * MAX_ITEMS.get() {
            items.put(&index.to_string(), Some(yeti()), now);
            assert_ne!(items.get("popular", &LIFETIME, now), Remembered::Nothing, "what is used stays");
        }
        assert_eq!((items.found.len(), items.failed.len()), (MAX_ITEMS.get(), 0));
        assert!(items.unknown.len() <= MAX_ITEMS.get());
    }

    #[test]
    fn a_stranger_that_keeps_coming_stays_known_as_one() {
        let now = Moment::now();
        let mut items = Items::new();
        items.put("often", None, now);
        for index in 0..2 * MAX_ITEMS.get() {
            items.put(&index.to_string(), None, now);
            assert_eq!(items.get("often", &LIFETIME, now), Remembered::Fresh(None));
        }
    }

    #[test]
    fn the_last_answer_counts() {
        let now = Moment::now();
        let mut items = Items::new();
        items.note_failure("a");
        assert!(items.failed_before("a"));
        items.put("a", None, now);
        assert_eq!(items.get("a", &LIFETIME, now), Remembered::Fresh(None));
        items.put("a", Some(yeti()), now);
        assert_eq!(items.get("a", &LIFETIME, now), Remembered::Fresh(Some(yeti())));
        items.put("a", None, now);
        assert_eq!(
            items.get("a", &LIFETIME, later(now, 30)),
            Remembered::Nothing,
            "a mysfit that is gone is not served"
        );
        assert!(!items.failed_before("a"));
    }
}
