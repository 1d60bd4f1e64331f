//! The handle on all jobs: lists, follows, describes, cancels, stops, submits.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use dataflow::Registry;
use dataflow::id::JobId;
use dataflow::trace;
use futures::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tracing::Instrument as _;

use super::{Error, Fresh, Planned};
use crate::job::{Ask, Begin, Context, Event, Handle, LagAsked, Measured, When, spawn};
use crate::rest::types::{Datastream, Lag, LogLine, Series, State, Stop, Submitted, Summary};
use crate::restore::Dropping;
use crate::store::{Entry, Standing};

/// How long a job may take to answer a question: it never waits for the world, so this is a long time.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// How long all of them may take together to be measured: whoever scrapes does not wait for long.
const MEASURE_PATIENCE: Duration = Duration::from_secs(2);

/// All datastreams of a state folder.
#[derive(Clone)]
pub struct Jobs {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) context: Context,
    pub(super) known: Mutex<BTreeMap<String, Known>>,
    /// How those that are over were at their ends, as far as it has been read.
    pub(super) ended: Mutex<BTreeMap<String, Summary>>,
    /// One change at a time: what is wished is read, written and acted upon without another in between.
    pub(super) gate: tokio::sync::Mutex<()>,
}

/// A datastream: with a task where it was taken up since this job manager began, else only as the ledger says.
#[derive(Clone)]
pub(super) enum Known {
    Task(Handle),
    Entry(Entry),
}

impl Jobs {
    /// Every datastream of the ledger, none of them at work.
    pub(crate) async fn open(context: Context) -> Self {
        let entries = context.ledger.entries().await.into_iter();
        let known = Mutex::new(entries.map(|(name, entry)| (name, Known::Entry(entry))).collect());
        let jobs = Self {
            inner: Arc::new(Inner {
                context,
                known,
                ended: Mutex::default(),
                gate: tokio::sync::Mutex::default(),
            }),
        };
        // Beside everything else: what runs is not kept waiting for what is over.
        jobs.inner.context.scope.run(jobs.clone().read_past());
        jobs
    }

    /// Takes up every datastream that is wanted.
    pub(crate) async fn recover(&self) {
        for (name, entry) in self.inner.context.ledger.entries().await {
            if entry.standing.is_wanted() {
                self.take_up(&entry.job(&name), Begin::Recover, entry);
            }
        }
    }

    /// The connectors and formats that documents may name.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.inner.context.registry
    }

    /// Every datastream, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Summary> {
        let known = self.inner.known.lock();
        known.iter().map(|(name, one)| self.summary_of(name, one)).collect()
    }

    /// How a datastream is.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn summary(&self, name: &str) -> Result<Summary, Error> {
        Ok(self.summary_of(name, &self.known(name)?))
    }

    /// Follows a datastream that was taken up since this job manager began.
    ///
    /// # Errors
    /// When there is none of that name, or it has been over since before.
    pub fn watch(&self, name: &str) -> Result<watch::Receiver<Summary>, Error> {
        match self.known(name)? {
            Known::Task(handle) => Ok(handle.summary),
            Known::Entry(_) => Err(self.over(name)),
        }
    }

    /// Everything that is known of a datastream.
    ///
    /// # Errors
    /// When there is none of that name, or it does not answer.
    pub async fn describe(&self, name: &str) -> Result<Datastream, Error> {
        match self.known(name)? {
            Known::Task(handle) => {
                let (reply, answer) = oneshot::channel();
                self.ask(&handle, Ask::Describe(reply)).await?;
                self.answer(name, answer).await.map(|datastream| *datastream)
            }
            Known::Entry(entry) => Ok(self.past(name, &entry).await.datastream),
        }
    }

    /// Lines of a datastream's log after a number; 0 for all that are kept.
    ///
    /// # Errors
    /// When there is none of that name, or it does not answer.
    pub async fn logs(&self, name: &str, after: u64) -> Result<Vec<LogLine>, Error> {
        match self.known(name)? {
            Known::Task(handle) => {
                let (reply, answer) = oneshot::channel();
                self.ask(&handle, Ask::Logs(after, reply)).await?;
                self.answer(name, answer).await
            }
            Known::Entry(entry) => {
                let mut lines = self.past(name, &entry).await.lines;
                lines.retain(|line| line.number > after);
                Ok(lines)
            }
        }
    }

    /// How a datastream did lately.
    ///
    /// # Errors
    /// When there is none of that name, or it does not answer.
    pub async fn series(&self, name: &str) -> Result<Series, Error> {
        match self.known(name)? {
            Known::Task(handle) => {
                let (reply, answer) = oneshot::channel();
                self.ask(&handle, Ask::Series(reply)).await?;
                self.answer(name, answer).await
            }
            Known::Entry(entry) => Ok(self.past(name, &entry).await.series),
        }
    }

    /// Lag and loss of a datastream; of one that was over before this job manager began as it was at its end.
    ///
    /// # Errors
    /// When there is none of that name, or it does not answer.
    pub async fn lag(&self, name: &str, asked: LagAsked) -> Result<Lag, Error> {
        match self.known(name)? {
            Known::Task(handle) => {
                let (reply, answer) = oneshot::channel();
                self.ask(&handle, Ask::Lag(asked, reply)).await?;
                self.answer(name, answer).await.map(|lag| *lag)
            }
            Known::Entry(entry) => {
                let mut lag = self.past(name, &entry).await.lag;
                for step in &mut lag.steps {
                    let surplus = step.minutes.len().saturating_sub(asked.minutes);
                    step.minutes.drain(..surplus);
                }
                Ok(lag)
            }
        }
    }

    /// What metrics show of every datastream that was taken up and answers soon.
    pub(crate) async fn measured(&self) -> BTreeMap<String, Measured> {
        let known = self.inner.known.lock().clone();
        let asked = known.into_iter().filter_map(|(name, one)| match one {
            Known::Task(handle) => Some((name, handle)),
            Known::Entry(_) => None,
        });
        let all = asked.map(|(name, handle)| async move {
            let (reply, answer) = oneshot::channel();
            // A job that has no room for a question has more to do than to be measured.
            handle.events.try_send(Event::Asked(Ask::Measure(reply))).ok()?;
            tokio::select! {
                answer = answer => Some((name, answer.ok()?)),
                () = self.inner.context.clock.sleep(MEASURE_PATIENCE) => None,
            }
        });
        join_all(all).await.into_iter().flatten().collect()
    }

    /// Cancels a datastream: nothing is committed behind its last checkpoint, its state is kept. Returns once the wish
    /// is written down; follow the summary for the end.
    ///
    /// # Errors
    /// When there is none of that name, it is over, or the store fails.
    pub async fn cancel(&self, name: &str) -> Result<(), Error> {
        self.wish(name, Standing::Cancelled, Ask::Cancel).await
    }

    /// Stops a datastream with a last checkpoint, or drains it to its end. Returns once the wish is written down.
    ///
    /// # Errors
    /// When there is none of that name, it is over, the label is taken, or the store fails.
    pub async fn stop(&self, name: &str, stop: Stop) -> Result<(), Error> {
        if let Some(label) = stop.savepoint {
            self.savepoint(name, Some(label), When::AtStop).await?;
        }
        match stop.drain {
            true => self.wish(name, Standing::Draining, Ask::Drain).await,
            false => self.wish(name, Standing::Stopping, Ask::Stop).await,
        }
    }

    /// Creates a datastream, or goes on with it.
    ///
    /// # Errors
    /// When it runs already, has finished, does not fit its own past, or the store fails.
    pub async fn submit(&self, planned: Planned, fresh: Fresh) -> Result<Submitted, Error> {
        self.submit_dropping(planned, fresh, Dropping::Refused).await
    }

    /// The same, and says what happens to state that the document has no use for.
    ///
    /// # Errors
    /// As for [`Jobs::submit`].
    pub async fn submit_dropping(
        &self,
        planned: Planned,
        fresh: Fresh,
        dropping: Dropping,
    ) -> Result<Submitted, Error> {
        let name = planned.graph.name.clone();
        self.alone(
            move |jobs, _| async move { jobs.submit_alone(planned, fresh, dropping).await },
            &name,
        )
        .await
    }

    async fn wish(&self, name: &str, standing: Standing, ask: Ask) -> Result<(), Error> {
        let work = |jobs: Self, name: String| async move { jobs.wish_alone(&name, standing, ask).await };
        self.alone(work, name).await
    }

    pub(super) async fn wish_alone(&self, name: &str, standing: Standing, ask: Ask) -> Result<(), Error> {
        let Known::Task(handle) = self.known(name)? else {
            return Err(self.over(name));
        };
        if handle.summary.borrow().state.is_over() {
            return Err(self.over(name));
        }
        self.inner.context.ledger.set(&handle.job, standing).await?;
        self.ask(&handle, ask).await
    }

    /// Does something that changes a datastream, while nothing else does. A task of its own: whoever asked may go away
    /// in the middle, the change is made whole.
    pub(super) async fn alone<T, W>(
        &self,
        work: impl FnOnce(Self, String) -> W + Send + 'static,
        name: &str,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Error>> + Send,
    {
        let (reply, answer) = oneshot::channel();
        let (jobs, name) = (self.clone(), name.to_owned());
        let work = async move {
            let gate = jobs.clone();
            let _one_at_a_time = gate.inner.gate.lock().await;
            // Whoever asked may have gone.
            drop(reply.send(work(jobs, name).await));
        };
        let work = trace::within(trace::current(), work).in_current_span();
        self.inner.context.scope.run(work);
        answer.await.unwrap_or(Err(Error::ShuttingDown))
    }

    pub(super) async fn ask(&self, handle: &Handle, ask: Ask) -> Result<(), Error> {
        let clock = self.inner.context.clock.clone();
        tokio::select! {
            sent = handle.events.send(Event::Asked(ask)) => sent.or(Err(Error::ShuttingDown)),
            () = clock.sleep(ANSWER_PATIENCE) => Err(Error::Silent { name: handle.job.name.clone() }),
        }
    }

    pub(super) async fn answer<T>(&self, name: &str, answer: oneshot::Receiver<T>) -> Result<T, Error> {
        let clock = self.inner.context.clock.clone();
        tokio::select! {
            answer = answer => answer.map_err(|_gone| Error::Silent { name: name.to_owned() }),
            () = clock.sleep(ANSWER_PATIENCE) => Err(Error::Silent { name: name.to_owned() }),
        }
    }

    pub(super) fn known(&self, name: &str) -> Result<Known, Error> {
        let known = self.inner.known.lock();
        let unknown = || Error::Unknown {
            name: name.to_owned(),
            known: known.keys().cloned().collect(),
        };
        known.get(name).cloned().ok_or_else(unknown)
    }

    pub(super) fn over(&self, name: &str) -> Error {
        let state = self.summary(name).map_or(State::Stopped, |summary| summary.state);
        Error::Over {
            name: name.to_owned(),
            state,
        }
    }

    pub(super) fn take_up(&self, job: &JobId, begin: Begin, entry: Entry) {
        let handle = spawn(&self.inner.context, job.clone(), begin, entry);
        self.inner.known.lock().insert(job.name.clone(), Known::Task(handle));
    }
}
