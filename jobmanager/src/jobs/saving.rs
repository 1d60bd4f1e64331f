//! Savepoints, and datastreams that begin from one.

use dataflow::Failure;
use dataflow::id::{Epoch, JobId};
use tokio::sync::oneshot;

use super::asking::Known;
use super::submit::check_name;
use super::{Error, Jobs, Planned};
use crate::job::{Ask, When};
use crate::rest::types::{Operation, Submitted};
use crate::restore::Dropping;
use crate::savepoint::{self, From};

impl Jobs {
    /// Keeps a checkpoint of a datastream by name. Returns once that is begun.
    ///
    /// # Errors
    /// When there is none of that name, it is over, the label is taken or no label, or the store fails.
    pub async fn savepoint(&self, name: &str, label: Option<String>, when: When) -> Result<Operation, Error> {
        let context = &self.inner.context;
        let label = label.unwrap_or_else(|| format!("{name}-{}", context.clock.wall().0));
        check_name(&label).map_err(|_not_a_name| {
            Error::Savepoint(
                Failure::fail(format!("`{label}` cannot name a savepoint"))
                    .help("use up to 100 letters, digits, `-`, `_` and `.`, and begin with a letter or digit"),
            )
        })?;
        let taken = savepoint::is_there(context.store.as_ref(), &label).await;
        if taken.map_err(Error::Savepoint)? {
            return Err(Error::Savepoint(savepoint::taken(&label)));
        }
        let Known::Task(handle) = self.known(name)? else {
            return Err(self.over(name));
        };
        let (reply, answer) = oneshot::channel();
        self.ask(&handle, Ask::Savepoint(label, when, reply)).await?;
        self.answer(name, answer).await?.map_err(Error::Savepoint)
    }

    /// The checkpoint that `orders`, `orders@1` or `orders@1:17` names: the newest one unless it says which.
    ///
    /// # Errors
    /// When it names no job.
    pub async fn checkpoint(&self, place: &str) -> Result<From, Error> {
        let malformed = || {
            let failure = Failure::fail(format!("`{place}` names no checkpoint"));
            Error::Savepoint(
                failure.help("write the datastream or the job, and perhaps the epoch: orders, orders@1, orders@1:17"),
            )
        };
        let (job, epoch) = match place.split_once(':') {
            None => (place, None),
            Some((job, epoch)) => (job, Some(Epoch(epoch.parse().map_err(|_not_a_number| malformed())?))),
        };
        if job.contains('@') {
            let job: JobId = job.parse().map_err(|_no_job| malformed())?;
            return Ok(From::Checkpoint(job, epoch));
        }
        match self.inner.context.ledger.entry(job).await {
            Some(entry) => Ok(From::Checkpoint(entry.job(job), epoch)),
            None => Err(self.known(job).err().unwrap_or_else(malformed)),
        }
    }

    /// Creates a datastream, or a new life of one, that goes on from what another one left.
    ///
    /// # Errors
    /// When it runs already, there is nothing to begin from, it does not fit, or the store fails.
    pub async fn submit_from(&self, planned: Planned, from: From, dropping: Dropping) -> Result<Submitted, Error> {
        let name = planned.graph.name.clone();
        let work = move |jobs: Self, name: String| async move {
            jobs.check_free(&name)?;
            let context = &jobs.inner.context;
            let found = savepoint::find(&from, &context.store, context.stores.as_ref(), &context.clock)
                .await
                .map_err(Error::Savepoint)?;
            let fits = found.fits(&planned.graph, dropping);
            fits.map_err(|refusal| Error::Unfit {
                shown: planned.written.shown(&refusal),
                failure: refusal.failure,
            })?;
            let life = context.ledger.entry(&name).await.map_or(1, |entry| entry.life + 1);
            jobs.begin(&name, life, planned, Some(found)).await
        };
        self.alone(work, &name).await
    }
}
