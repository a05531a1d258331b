//! How old an answer is, and what that makes of it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lru::LruCache;

use super::answer::{Attributes, List};

/// How long "there is no such mysfit" is believed: long enough to bear a stranger's random ids, short enough that a new
/// mysfit's clicks do not fail for long.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// How young a catalogue is asked for again on behalf of an id that it lacks: at most one request in this time, however
/// many unknown ids come.
const RECHECK_AFTER: Duration = Duration::from_secs(10);
/// The most mysfits that are remembered one by one, some 300 bytes each.
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
    /// Whether the catalogue answers for `ids` without a request. One that does not know an id is believed while it is young.
    pub(super) fn answers(&self, ids: &[&str], lifetime: &Lifetime, now: Moment) -> bool {
        let age = self.since.age_at(now);
        lifetime.is_fresh(age) && (age <= RECHECK_AFTER || ids.iter().all(|id| self.list.contains_key(*id)))
    }

    pub(super) fn is_fresh(&self, lifetime: &Lifetime, now: Moment) -> bool {
        lifetime.is_fresh(self.since.age_at(now))
    }

    pub(super) fn is_servable(&self, lifetime: &Lifetime, now: Moment) -> bool {
        lifetime.is_servable(self.since.age_at(now))
    }
}

/// Mysfits that were asked for one by one, those used last.
#[derive(Debug)]
pub(super) struct Items(LruCache<Box<str>, Item>);

/// `None` for a mysfit that the service does not know.
#[derive(Clone, Debug)]
struct Item {
    attributes: Option<Arc<Attributes>>,
    since: Moment,
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
        Self(LruCache::new(MAX_ITEMS))
    }

    pub(super) fn get(&mut self, id: &str, lifetime: &Lifetime, now: Moment) -> Remembered {
        let Some(item) = self.0.get(id) else {
            return Remembered::Nothing;
        };
        let age = item.since.age_at(now);
        match &item.attributes {
            None if age < UNKNOWN_FOR => Remembered::Fresh(None),
            Some(_) if lifetime.is_fresh(age) => Remembered::Fresh(item.attributes.clone()),
            Some(attributes) if lifetime.is_servable(age) => Remembered::Stale(attributes.clone()),
            None | Some(_) => Remembered::Nothing,
        }
    }

    pub(super) fn put(&mut self, id: &str, attributes: Option<Arc<Attributes>>, since: Moment) {
        self.0.put(id.into(), Item { attributes, since });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mysfits::answer::Entry;

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
        let catalogue = Catalogue { list: List::from([("a".into(), Entry::Complete(yeti()))]), since };
        for (age, ids, expected) in [
            (0, vec!["a"], true),
            (299, vec!["a"], true),
            (300, vec!["a"], false),
            (10, vec!["a", "b"], true),
            (11, vec!["a", "b"], false),
        ] {
            assert_eq!(catalogue.answers(&ids, &LIFETIME, later(since, age)), expected, "{ids:?} at {age} s");
        }
        assert!(catalogue.is_servable(&LIFETIME, later(since, 1299)));
        assert!(!catalogue.is_servable(&LIFETIME, later(since, 1300)));
        let never = Lifetime { fresh: Duration::ZERO, stale: Duration::ZERO };
        assert!(!catalogue.answers(&["a"], &never, since) && !catalogue.is_servable(&never, since));
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
    fn items_are_bounded_and_those_in_use_stay() {
        let now = Moment::now();
        let mut items = Items::new();
        items.put("popular", Some(yeti()), now);
        for stranger in 0..2 * MAX_ITEMS.get() {
            items.put(&stranger.to_string(), None, now);
            assert_ne!(items.get("popular", &LIFETIME, now), Remembered::Nothing);
        }
        assert_eq!(items.0.len(), MAX_ITEMS.get());
    }
}
