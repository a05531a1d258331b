//! Looking mysfits up: what is remembered first, then as few requests as will do.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::sync::Mutex;

use super::answer::{AttributesId, Entry, List};
use super::attributes::{Attributes, OwnedAttributes};
use super::cache::{Catalogue, Item, Items, Lifetime, Moment, Remembered};
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

/// What could be found out about one mysfit.
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
    /// Whether the service, now or as far as it is cached, answered for any of them, or failed for unknown ids alone.
    /// Then a failure is about single mysfits, and failing the whole batch would let one invalid mysfit stop the stream.
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
            Lookup::Item => self.by_items(ids, &mut memory.items, session, false).await,
        };
        answers.any |= answers.by_id.iter().any(|answer| *answer != Answer::Failed);
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
            let found = self.by_items(&partial_ids, items, session, !is_current).await;
            answers.stale += found.stale;
            for (index, answer) in partial.into_iter().zip(found.by_id) {
                answers.by_id[index] = answer;
            }
        }
        let mut failed = ids.iter().zip(&answers.by_id).filter(|(_, answer)| **answer == Answer::Failed);
        // A fresh list is the service's answer. Of a stale one, a mysfit that it has should have been answered for.
        answers.any = !is_stale || failed.all(|(id, _)| catalogue.list.get(id).is_none());
        answers
    }

    /// Asks for each of `ids` that is not remembered. Where the service `is_away`, what is remembered past its time will do.
    async fn by_items(&self, ids: &[&str], items: &mut Items, session: &Session<'_>, is_away: bool) -> Answers {
        let now = Moment::now();
        let mut answers = Answers { by_id: vec![Answer::Failed; ids.len()], ..Answers::default() };
        let room = Room(Cell::new(Some(MAX_BATCH_BYTES)));
        let mut wanted = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            match items.get(id, &self.lifetime, now) {
                Remembered::Fresh(Item::Lacking, Some(before)) => {
                    answers.stale += 1;
                    answers.by_id[index] = room.answer(Item::Found(before));
                }
                Remembered::Fresh(item, _) => answers.by_id[index] = room.answer(item),
                Remembered::Stale(attributes) if is_away => {
                    answers.stale += 1;
                    answers.by_id[index] = room.answer(Item::Found(attributes));
                }
                Remembered::Stale(attributes) => wanted.push((index, Some(attributes))),
                Remembered::Nothing => wanted.push((index, None)),
            }
        }
        // A few failures end it, and some services fail for an id that is not theirs. So mysfits that are known to exist go
        // first, those that failed before go last, and among the others nobody can place ids in front.
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
                    room.answer(Item::Found(stale))
                }
                (Some(item), _) => room.answer(item),
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

    /// The answer that `item` is, as long as there is room for it.
    fn answer(&self, item: Item) -> Answer {
        match item {
            Item::Found(attributes) => {
                let left = self.0.get().and_then(|room| room.checked_sub(attributes.heap_bytes()));
                self.0.set(left);
                if left.is_some() { Answer::Found(attributes) } else { Answer::NoRoom }
            }
            Item::Unknown => Answer::Unknown,
            Item::Lacking => Answer::Lacking,
        }
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
