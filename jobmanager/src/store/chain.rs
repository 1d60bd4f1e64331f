//! A job's chain of epochs in the store.

use std::sync::Arc;

use bytes::Bytes;
use dataflow::id::{Epoch, Generation, JobId};
use dataflow::store::Store;
use dataflow::time::Clock;

use super::hint::Hint;
use super::{Amendment, Created, Document, Error, Numbered, Record, open, seal};
#[cfg(feature = "testing")]
use crate::testing::{Mutant, is_planted};

/// A record is read back whole, so it is bounded.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// The records of one job.
#[derive(Clone, Debug)]
pub struct Chain {
    job: JobId,
    records: Numbered,
    store: Arc<dyn Store>,
    hint: Hint,
}

/// What became of a record.
#[derive(Clone, Debug)]
pub enum Appended {
    /// It is in the chain.
    Ours,
    /// Another one of that number is.
    Foreign(Box<Record>),
}

impl Chain {
    /// The chain of `job`, which may be empty.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, job: JobId, clock: Arc<dyn Clock>) -> Self {
        let records = Numbered::new(store.clone(), format!("jobs/{job}/epochs/"), ".record", clock);
        let hint = Hint::new(store.clone(), format!("jobs/{job}/hint"));
        Self {
            job,
            records,
            store,
            hint,
        }
    }

    /// The newest record and the document in force, if the job has any past.
    ///
    /// # Errors
    /// When the store fails, or a record that must be there is damaged or missing. Never falls back to an older one:
    /// what it committed would be done twice.
    pub async fn head(&self) -> Result<Option<(Record, Document)>, Error> {
        let Some(number) = self.records.head_from(0, self.hint.read().await).await? else {
            return Ok(None);
        };
        self.at(Epoch(number)).await.map(Some)
    }

    /// A record and the document that was in force.
    ///
    /// # Errors
    /// When the store fails, or it is damaged or not there.
    pub async fn at(&self, epoch: Epoch) -> Result<(Record, Document), Error> {
        let head = self.read(epoch).await?;
        let path = self.records.path(head.document_in.0);
        let holder = if head.document_in == head.epoch {
            head.clone()
        } else {
            self.read(head.document_in).await?
        };
        let document = holder.document.ok_or(Error::Damaged {
            path,
            reason: "it holds no document".to_owned(),
        })?;
        Ok((head, document))
    }

    /// The folder of the records.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("jobs/{}/epochs", self.job)
    }

    /// The epoch of the record at a path.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<Epoch> {
        self.records.number(path).map(Epoch)
    }

    /// The path of a record.
    #[must_use]
    pub fn path(&self, number: u64) -> String {
        self.records.path(number)
    }

    /// One record.
    ///
    /// # Errors
    /// As for [`Chain::at`].
    pub async fn read(&self, epoch: Epoch) -> Result<Record, Error> {
        let path = self.records.path(epoch.0);
        let bytes = self
            .records
            .read(epoch.0)
            .await?
            .ok_or_else(|| Error::gap(path.clone()))?;
        self.parse(epoch, &bytes)
    }

    fn parse(&self, epoch: Epoch, bytes: &Bytes) -> Result<Record, Error> {
        let path = self.records.path(epoch.0);
        let record: Record = open(bytes, &path)?;
        if record.job != self.job || record.epoch != epoch {
            let reason = format!("it is {} of {}", record.epoch, record.job);
            return Err(Error::Damaged { path, reason });
        }
        Ok(record)
    }

    /// The bytes of a record, bounded.
    ///
    /// # Errors
    /// Where it is too large to be read back.
    pub fn encode(&self, record: &Record) -> Result<Bytes, Error> {
        let bytes = seal(record);
        if bytes.len() > RECORD_BYTES_MAX {
            let path = self.records.path(record.epoch.0);
            return Err(Error::TooLarge {
                path,
                bytes: bytes.len(),
                limit: RECORD_BYTES_MAX,
            });
        }
        Ok(bytes.into())
    }

    /// Makes a record, with some tries.
    ///
    /// # Errors
    /// When the outcome is still unknown after them, or the record is too large.
    pub async fn append(&self, record: &Record) -> Result<Appended, Error> {
        let created = self.records.create(record.epoch.0, self.encode(record)?).await?;
        self.judged(record.epoch, created)
    }

    /// Makes a record from its bytes, however long it takes to know that it is there. `trouble` hears of failed tries.
    ///
    /// # Errors
    /// Where another record is there that cannot be read.
    pub async fn append_until_known(
        &self,
        epoch: Epoch,
        bytes: Bytes,
        trouble: impl Fn(&Error) + Send,
    ) -> Result<Appended, Error> {
        #[cfg(feature = "testing")]
        if is_planted(Mutant::UnknownIsFailure)
            && let Err(error @ dataflow::store::Error::Unknown { .. }) =
                self.store.create(&self.path(epoch.0), bytes.clone()).await
        {
            return Err(Error::Store(error));
        }
        let created = self.records.create_until_known(epoch.0, bytes, trouble).await;
        self.judged(epoch, created)
    }

    fn judged(&self, epoch: Epoch, created: Created) -> Result<Appended, Error> {
        match created {
            Created::Ours => Ok(Appended::Ours),
            Created::Foreign(bytes) => Ok(Appended::Foreign(Box::new(self.parse(epoch, &bytes)?))),
        }
    }

    /// Puts a fence of `generation` at the end of the chain, past whatever an older generation still wrote there.
    ///
    /// # Errors
    /// When the store fails, or a later generation is found.
    pub async fn fence(
        &self,
        mut head: Record,
        generation: Generation,
        amendment: Option<Amendment>,
        clock: &dyn Clock,
    ) -> Result<Record, Error> {
        #[cfg(feature = "testing")]
        if is_planted(Mutant::NoFence) {
            return Ok(head);
        }
        let in_force = head.document_in;
        loop {
            #[cfg(feature = "testing")]
            if is_planted(Mutant::NoStepDown) {
                head.generation = head.generation.min(generation);
            }
            if head.generation > generation {
                let (path, term) = (self.records.path(head.epoch.0), head.generation.term);
                return Err(Error::Deposed { path, term });
            }
            // Nothing follows the last record; it needs no fence.
            if head.last {
                return Ok(head);
            }
            // Whoever changed the document meanwhile was asked to by a person; we do not know what from.
            if amendment.is_some() && head.document_in != in_force {
                let (path, term) = (self.records.path(head.epoch.0), head.generation.term);
                return Err(Error::Deposed { path, term });
            }
            let fence = head.fenced(generation, amendment.clone(), clock.wall());
            match self.append(&fence).await? {
                Appended::Ours => return Ok(fence),
                Appended::Foreign(found) => head = *found,
            }
        }
    }

    /// Remembers where the head is.
    pub async fn hint(&self, epoch: Epoch) {
        self.hint.write(epoch.0).await;
    }
}
