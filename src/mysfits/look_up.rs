//! Looking mysfits up: what is remembered first, then as few requests as will do.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::sync::Mutex;

use super::answer::{AttributesId, Entry, List};
use super::attributes::{Attributes, OwnedAttributes};
use super::cache::{Catalogue, Item, Items, Lifetime, Moment, RECHECK_AFTER, Remembered};
use super::failure::MAX_ATTEMPTS;
use super::session::Session;
use crate::config::{Config, Lookup};

/// What the function knows of the mysfits, from one invocation to the next.
#[derive(Debug)]
pub struct Mysfits {
    lookup: Lookup,
    lifetime: Lifetime,
    concurrency: usize,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
struct Memory {
    catalogue: Option<Catalogue>,
    /// Whether the catalogue could not be had when it was last asked for.
    catalogue_failed: bool,
    items: Items,
}

/// The most heap that the attributes of a batch's mysfits take which were asked for one by one: twice what the largest reply
/// could hold, so that what is refused could not have been delivered, but for more than 40,000 different small ones.
const MAX_BATCH_BYTES: usize = 12 << 20;

/// The outcome of the look-up of one mysfit.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is in the list of the service with these attributes.
    Listed(AttributesId),
    /// It was asked for, and these are its attributes.
    Found(Arc<OwnedAttributes>),
    /// There is no such mysfit.
    Unknown,
    /// The service answered, and the mysfit lacks an attribute that is wanted, or has one there that can't be carried over.
    Lacking,
    /// The mysfits of this batch have more attributes than a reply could hold.
    NoRoom,
    /// The service could not be asked, or did not answer for it.
    Failed,
}

/// The answers for the mysfits of one batch.
#[derive(Debug, Default)]
pub struct Answers {
    /// One for each id, in the order of the ids.
    pub by_id: Vec<Answer>,
    /// Whether a failure is about single mysfits: then failing the whole batch would let one invalid mysfit stop the stream.
    ///
    /// So it is where none failed, where any has attributes, and where the service answered for any in this invocation. It is
    /// not where all that is cached says "unknown" or "lacks an attribute": that hides no outage.
    pub any: bool,
    /// How many mysfits were served from an answer past its time.
    pub stale: usize,
    /// How old the catalogue is from which they were served.
    pub catalogue_age: Option<Duration>,
    /// The list that has the attributes of what is [`Answer::Listed`].
    list: Option<Arc<List>>,
}

impl Answers {
    /// The attributes of the mysfit whose id has that index; `None` where there are none.
    #[must_use]
    pub fn attributes(&self, mysfit: usize) -> Option<Attributes<'_>> {
        match &self.by_id[mysfit] {
            Answer::Listed(id) => self.list.as_ref().map(|list| list.attributes(*id)),
            Answer::Found(attributes) => Some(attributes.view()),
            Answer::Unknown | Answer::Lacking | Answer::NoRoom | Answer::Failed => None,
        }
    }
}

impl Mysfits {
    /// Nothing known yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            lookup: config.lookup,
            lifetime: Lifetime { fresh: config.cache, stale: config.stale },
            concurrency: config.concurrency,
            memory: Mutex::new(Memory { catalogue: None, catalogue_failed: false, items: Items::new() }),
        }
    }

    /// Looks up the distinct `ids`, each of characters that may stand in a URL's path.
    pub async fn look_up(&self, ids: &[&str], session: &Session<'_>) -> Answers {
        if ids.is_empty() {
            return Answers::default();
        }
        let mut memory = self.memory.lock().await;
        let mut answers = match self.lookup {
            Lookup::Catalogue => self.by_catalogue(ids, &mut memory, session).await,
            Lookup::Item => self.by_items(ids, &mut memory.items, session, false, Duration::ZERO).await,
        };
        answers.any |= !answers.by_id.contains(&Answer::Failed)
            || answers.by_id.iter().any(|answer| matches!(answer, Answer::Listed(_) | Answer::Found(_)));
        answers
    }

    async fn by_catalogue(&self, ids: &[&str], memory: &mut Memory, session: &Session<'_>) -> Answers {
        let asked_at = Moment::now();
        let known = memory.catalogue.as_ref();
        let known_entries = known.and_then(|known| known.answers(ids, &self.lifetime, asked_at));
        let is_servable = known.is_some_and(|known| known.is_servable(&self.lifetime, asked_at));
        let answered_now = known_entries.is_none() && memory.update_catalogue(asked_at, is_servable, session).await;
        let is_current = known_entries.is_some() || answered_now;
        let Memory { catalogue, items, .. } = memory;

        let now = Moment::now();
        let Some(catalogue) = catalogue.as_ref().filter(|known| is_current || known.is_servable(&self.lifetime, now))
        else {
            return Answers { by_id: vec![Answer::Failed; ids.len()], ..Answers::default() };
        };
        let is_stale = !is_current && !catalogue.is_fresh(&self.lifetime, now);
        let mut answers = Answers {
            by_id: Vec::with_capacity(ids.len()),
            catalogue_age: Some(catalogue.since.age_at(now)),
            list: Some(catalogue.list.clone()),
            ..Answers::default()
        };
        let mut partial = Vec::new();
        let entries = known_entries.unwrap_or_else(|| catalogue.entries(ids));
        for (index, entry) in entries.into_iter().enumerate() {
            answers.by_id.push(match entry {
                Some(Entry::Complete(attributes)) => {
                    answers.stale += usize::from(is_stale);
                    Answer::Listed(attributes)
                }
                Some(Entry::Partial) => {
                    partial.push(index);
                    Answer::Failed
                }
                None if is_current => Answer::Unknown,
                // It may be a mysfit that is newer than the catalogue.
                None => Answer::Failed,
            });
        }
        if !partial.is_empty() {
            let partial_ids: Vec<&str> = partial.iter().map(|index| ids[*index]).collect();
            // That a fresh list has them is an answer. What failed since it was asked for fails on for a while, without a
            // request. What failed before may have failed in an outage that is over.
            let failed_within =
                if is_stale { Duration::ZERO } else { RECHECK_AFTER.min(catalogue.since.age_at(Moment::now())) };
            let found = self.by_items(&partial_ids, items, session, !is_current, failed_within).await;
            answers.stale += found.stale;
            answers.any |= found.any;
            for (index, answer) in partial.into_iter().zip(found.by_id) {
                answers.by_id[index] = answer;
            }
        }
        let mut failed = ids.iter().zip(&answers.by_id).filter(|(_, answer)| **answer == Answer::Failed);
        // A fresh list is the service's answer. Of a stale one, a mysfit that it has should have been answered for.
        answers.any |= !is_stale || failed.all(|(id, _)| catalogue.list.get(id).is_none());
        answers
    }

    /// Asks for each of `ids` that is not cached, and whose last request did not fail within `failed_within`. Where the service
    /// `is_away`, a stale value is acceptable.
    async fn by_items(
        &self,
        ids: &[&str],
        items: &mut Items,
        session: &Session<'_>,
        is_away: bool,
        failed_within: Duration,
    ) -> Answers {
        let now = Moment::now();
        let mut answers = Answers { by_id: vec![Answer::Failed; ids.len()], ..Answers::default() };
        let room = Room(Cell::new(Some(MAX_BATCH_BYTES)));
        let mut wanted = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            let failed_lately = items.failed_lately(id, failed_within, now);
            answers.by_id[index] = match items.get(id, &self.lifetime, now) {
                Remembered::Found(attributes) => room.found(attributes),
                Remembered::Unknown => Answer::Unknown,
                Remembered::Lacking { before: None } => Answer::Lacking,
                Remembered::Lacking { before: Some(attributes) } => {
                    answers.stale += 1;
                    room.found(attributes)
                }
                Remembered::Stale(attributes) if is_away || failed_lately => {
                    answers.stale += 1;
                    room.found(attributes)
                }
                Remembered::Stale(attributes) => {
                    wanted.push((index, Some(attributes)));
                    Answer::Failed
                }
                Remembered::Nothing => {
                    if !failed_lately {
                        wanted.push((index, None));
                    }
                    Answer::Failed
                }
            };
        }
        // A few failures end it, and some services fail for an id that is not theirs. So mysfits that are known to exist go
        // first, those that failed before go last, and the others go in an order that no client can choose.
        fastrand::shuffle(&mut wanted);
        wanted.sort_by_key(|(index, stale)| (stale.is_none(), items.failed_before(ids[*index])));
        let mut arriving = stream::iter(wanted)
            .map(async |(index, stale)| {
                let outcome = if room.is_used_up() { None } else { Some(session.item(ids[index]).await) };
                (index, stale, outcome)
            })
            .buffer_unordered(self.concurrency);
        while let Some((index, stale, outcome)) = arriving.next().await {
            let id = ids[index];
            let item = match outcome {
                Some(Ok(item)) => {
                    answers.any = true;
                    items.put(id, item.clone(), now);
                    Some(item)
                }
                Some(Err(failure)) => {
                    if failure.was_sent() {
                        items.note_failure(id, now);
                    }
                    None
                }
                None => {
                    answers.by_id[index] = Answer::NoRoom;
                    continue;
                }
            };
            answers.by_id[index] = match (item, stale) {
                (None | Some(Item::Lacking), Some(stale)) => {
                    answers.stale += 1;
                    room.found(stale)
                }
                (Some(Item::Found(attributes)), _) => room.found(attributes),
                (Some(Item::Unknown), _) => Answer::Unknown,
                (Some(Item::Lacking), None) => Answer::Lacking,
                (None, None) => Answer::Failed,
            };
        }
        answers
    }
}

/// How much heap a batch's attributes may still take; `None` once there were some that did not fit.
struct Room(Cell<Option<usize>>);

impl Room {
    fn is_used_up(&self) -> bool {
        self.0.get().is_none()
    }

    /// The answer with `attributes`, as long as there is room for them.
    fn found(&self, attributes: Arc<OwnedAttributes>) -> Answer {
        let left = self.0.get().and_then(|room| room.checked_sub(attributes.heap_bytes()));
        self.0.set(left);
        if left.is_some() { Answer::Found(attributes) } else { Answer::NoRoom }
    }
}

impl Memory {
    /// Asks for the catalogue; says whether there is a new one. After it could not be had, and while the old one will do,
    /// one attempt shows whether the service is back, so that an outage does not hold up every batch.
    async fn update_catalogue(&mut self, since: Moment, old_one_will_do: bool, session: &Session<'_>) -> bool {
        let attempts = if self.catalogue_failed && old_one_will_do { 1 } else { MAX_ATTEMPTS };
        let list = session.list(attempts).await;
        self.catalogue_failed = list.is_err();
        // What went wrong is remembered by the session.
        let Ok(list) = list else { return false };
        self.catalogue = Some(Catalogue { list: Arc::new(list), since });
        true
    }
}
