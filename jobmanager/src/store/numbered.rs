//! Objects numbered without gaps, each made once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dataflow::store::{self, Store};
use dataflow::time::Clock;

use super::Error;

/// Reading is tried this many times before the store counts as failed.
const TRIES: u32 = 6;

/// The first pause between two tries; each later one is twice as long, up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

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
    /// Probes forward from `hint`, in leaps: a row of a million objects costs some forty requests without a hint and
    /// one or two with a good one. Never lists: a list may lag behind.
    ///
    /// # Errors
    /// When the store fails; when the hint names an object that is not there: it was written after that object.
    pub async fn head_from(&self, first: u64, hint: Option<u64>) -> Result<Option<u64>, Error> {
        let mut low = hint.unwrap_or(first).max(first);
        if !self.is_there(low).await? {
            return if hint.is_some_and(|hint| hint > first) {
                Err(Error::gap(self.path(low)))
            } else {
                Ok(None)
            };
        }
        let mut leap = 1;
        while self.is_there(low + leap).await? {
            low += leap;
            leap *= 2;
        }
        let mut high = low + leap;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.is_there(middle).await? {
                low = middle
            } else {
                high = middle
            }
        }
        Ok(Some(low))
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
