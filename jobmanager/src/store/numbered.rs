//! Objects numbered without gaps, each made once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dataflow::store::{self, Store};
use dataflow::time::Clock;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::Error;

/// Reading is tried this many times before the store counts as failed.
const TRIES: u32 = 6;

/// The first pause between two tries; each later one is twice as long, up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// A hint above this is none of ours, and leaps beyond it would overflow.
const HINT_MAX: u64 = 1 << 60;

/// So far above a hint the last object is looked for step by step: hints are written more often.
const NEAR: u64 = 24;

/// So many questions are asked at once.
const PROBES_AT_ONCE: usize = 32;

/// What a search for the last of the objects `first..=last` asks for: those that it finds, and those that it does not.
///
/// Must stay true: what a search for a later one finds up to `last`, a search for `last` finds too; so whoever keeps those
/// may take away all other old ones, again and again.
#[must_use]
pub fn search(first: u64, last: u64) -> (Vec<u64>, Vec<u64>) {
    let (mut found, mut missed) = (Vec::new(), Vec::new());
    let mut low = first;
    let mut leap = 1;
    while low + leap <= last {
        low += leap;
        found.push(low);
        leap *= 2;
    }
    let mut high = low + leap;
    missed.push(high);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if middle <= last {
            low = middle;
            found.push(middle);
        } else {
            high = middle;
            missed.push(middle);
        }
    }
    (found, missed)
}

/// A row of objects `<prefix><number><suffix>`.
#[derive(Clone, Debug)]
pub struct Numbered {
    store: Arc<dyn Store>,
    prefix: String,
    suffix: &'static str,
    clock: Arc<dyn Clock>,
}

/// What became of an object that was to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It holds our bytes.
    Ours,
    /// Somebody made it before; it holds these.
    Foreign(Bytes),
}

impl Numbered {
    /// The objects below `prefix`.
    pub fn new(store: Arc<dyn Store>, prefix: impl Into<String>, suffix: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            prefix: prefix.into(),
            suffix,
            clock,
        }
    }

    /// The path of an object.
    #[must_use]
    pub fn path(&self, number: u64) -> String {
        format!("{}{number}{}", self.prefix, self.suffix)
    }

    /// The number of the object at a path.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<u64> {
        path.strip_prefix(&self.prefix)?.strip_suffix(self.suffix)?.parse().ok()
    }

    /// The bytes of an object, if it is there.
    ///
    /// # Errors
    /// When the store fails, also after some tries.
    pub async fn read(&self, number: u64) -> Result<Option<Bytes>, Error> {
        let path = self.path(number);
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.store.read(&path).await {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(store::Error::Missing { .. }) => return Ok(None),
                Err(_) => self.clock.sleep(pause).await,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
        match self.store.read(&path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(store::Error::Missing { .. }) => Ok(None),
            Err(error) => Err(Error::Store(error)),
        }
    }

    /// The number of the last object, if the row that begins with `first` has any.
    ///
    /// Searches in leaps, always by the same numbers ([`search`]): old objects may be gone, but for those that a search for
    /// the last one finds. A hint saves most requests: whatever is not above it is known to have been there. A row of a
    /// million objects costs some forty requests without a hint, and some twenty at once with a good one. Never lists: a list
    /// may lag behind.
    ///
    /// # Errors
    /// When the store fails; when nothing is found at the hint or above: it was written after that object.
    pub async fn head_from(&self, first: u64, hint: Option<u64>) -> Result<Option<u64>, Error> {
        let Some(hint) = hint.filter(|hint| *hint > first) else {
            return match self.is_there(first).await? {
                true => self.last_above(first, first).await.map(Some),
                false => Ok(None),
            };
        };
        if hint >= HINT_MAX {
            return Err(Error::gap(self.path(hint)));
        }
        if let Some(last) = self.last_near(first, hint).await? {
            return Ok(Some(last));
        }
        let last = self.last_above(first, hint).await?;
        if last == hint && !self.is_there(hint).await? {
            return Err(Error::gap(self.path(hint)));
        }
        Ok(Some(last))
    }

    /// The last object, if it is not far above `hint`: found by a few steps, and proved by a search for it, all at once.
    async fn last_near(&self, first: u64, hint: u64) -> Result<Option<u64>, Error> {
        if !self.is_there(hint).await? {
            return Ok(None);
        }
        let mut last = hint;
        while last < hint + NEAR && self.is_there(last + 1).await? {
            last += 1;
        }
        let (_, above) = search(first, last);
        let probes = stream::iter(above.into_iter().map(|number| self.is_there(number)));
        let found: Vec<bool> = probes.buffer_unordered(PROBES_AT_ONCE).try_collect().await?;
        Ok((!found.contains(&true)).then_some(last))
    }

    /// Searches as [`search`] does; all up to `known` are known to have been there.
    async fn last_above(&self, first: u64, known: u64) -> Result<u64, Error> {
        let mut low = first;
        let mut leap = 1;
        while low + leap <= known || self.is_there(low + leap).await? {
            low += leap;
            leap *= 2;
        }
        let mut high = low + leap;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if middle <= known || self.is_there(middle).await? {
                low = middle
            } else {
                high = middle
            }
        }
        Ok(low)
    }

    async fn is_there(&self, number: u64) -> Result<bool, Error> {
        let path = self.path(number);
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            match self.store.head(&path).await {
                Ok(_) => return Ok(true),
                Err(store::Error::Missing { .. }) => return Ok(false),
                Err(error) if tries == TRIES => return Err(Error::Store(error)),
                Err(_) => self.clock.sleep(pause).await,
            }
            tries += 1;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Makes an object, or says who made it before.
    ///
    /// # Errors
    /// When the outcome is still unknown after some tries. The object may then appear later.
    pub async fn create(&self, number: u64, bytes: Bytes) -> Result<Created, Error> {
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            match self.try_create(number, bytes.clone()).await {
                Ok(created) => return Ok(created),
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => self.clock.sleep(pause).await,
            }
            tries += 1;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Makes an object, or says who made it before, however long it takes; `trouble` hears of every try that failed.
    ///
    /// For what must be known before anything else may happen: a record whose making was begun.
    pub async fn create_until_known(&self, number: u64, bytes: Bytes, trouble: impl Fn(&Error) + Send) -> Created {
        let mut pause = PAUSE;
        loop {
            match self.try_create(number, bytes.clone()).await {
                Ok(created) => return created,
                Err(error) => trouble(&error),
            }
            self.clock.sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn try_create(&self, number: u64, bytes: Bytes) -> Result<Created, Error> {
        let path = self.path(number);
        let failure = match self.store.create(&path, bytes.clone()).await {
            Ok(()) => return Ok(Created::Ours),
            Err(error) => error,
        };
        // Whatever it says, it may have been made: an answer gets lost, a retry inside the client finds its own object.
        match self.store.read(&path).await {
            Ok(there) if there == bytes => Ok(Created::Ours),
            Ok(there) => Ok(Created::Foreign(there)),
            Err(_) => Err(Error::Store(failure)),
        }
    }
}
