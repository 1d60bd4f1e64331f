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
        Self {
            inner: Arc::new(Inner {
                context,
                known,
                gate: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Takes up every datastream that is wanted.
    pub(crate) async fn recover(&self) {
        for (name, entry) in self.inner.context.ledger.entries().await {
            if entry.standing.is_wanted() {
                self.take_up(&entry.job(&name), Begin::Recover, entry.standing);
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
        known.iter().map(|(name, one)| one.summary(name)).collect()
    }

    /// How a datastream is.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn summary(&self, name: &str) -> Result<Summary, Error> {
        Ok(self.known(name)?.summary(name))
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
            Known::Entry(entry) => Ok(from_ledger(entry_summary(name, &entry))),
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
            Known::Entry(_) => Ok(Vec::new()),
        }
    }

    /// How a datastream did lately; nothing of one that was over before this job manager began.
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
            Known::Entry(_) => Ok(Series::default()),
        }
    }

    /// Lag and loss of a datastream; nothing of one that was over before this job manager began.
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
            Known::Entry(_) => Ok(Lag::default()),
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

    pub(super) fn take_up(&self, job: &JobId, begin: Begin, standing: Standing) {
        let handle = spawn(&self.inner.context, job.clone(), begin, standing);
        self.inner.known.lock().insert(job.name.clone(), Known::Task(handle));
    }
}

impl Known {
    fn summary(&self, name: &str) -> Summary {
        match self {
            Self::Task(handle) => handle.summary.borrow().clone(),
            Self::Entry(entry) => entry_summary(name, entry),
        }
    }
}

fn entry_summary(name: &str, entry: &Entry) -> Summary {
    let (state, reason, help) = match &entry.standing {
        Standing::Running | Standing::Draining | Standing::Stopping => (State::Created, None, None),
        Standing::Stopped => (State::Stopped, None, None),
        Standing::Cancelled => (State::Cancelled, None, None),
        Standing::Finished => (State::Finished, None, None),
        Standing::Failed { message, help } => (State::Failed, Some(message.clone()), help.clone()),
    };
    Summary {
        reason,
        help,
        ..Summary::begin(name, entry.job(name).to_string(), (state, entry.at.0))
    }
}

/// What is known of a datastream that ended before this job manager began.
fn from_ledger(summary: Summary) -> Datastream {
    Datastream {
        summary,
        contact: None,
        document: String::new(),
        generation: String::new(),
        vertices: Vec::new(),
        edges: Vec::new(),
        checkpoints: crate::rest::types::Checkpoints::default(),
        exceptions: Vec::new(),
        watermark: None,
        operations: Vec::new(),
        dead_letters: Vec::new(),
        losses: Vec::new(),
        resources: None,
        findings: Vec::new(),
    }
}
