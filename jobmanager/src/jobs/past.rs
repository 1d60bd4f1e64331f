//! Datastreams that were over before this job manager began: what is remembered of them.

use futures::{StreamExt as _, stream};

use super::asking::Known;
use super::{Error, Jobs};
use crate::rest::types::{Checkpoints, Datastream, Lag, Series, State, Summary};
use crate::run::{Run, Runs};
use crate::store::{Entry, Standing};

/// So many are read at once when a job manager begins.
const AT_ONCE: usize = 16;

impl Jobs {
    pub(super) fn summary_of(&self, name: &str, known: &Known) -> Summary {
        match known {
            Known::Task(handle) => handle.summary.borrow().clone(),
            Known::Entry(entry) => {
                let ended = self.inner.ended.lock().get(name).cloned();
                ended
                    .filter(|summary| is_of(summary, name, entry))
                    .unwrap_or_else(|| entry_summary(name, entry))
            }
        }
    }

    /// The runs of a datastream that are remembered, the newest first, each with its number.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn runs(&self, name: &str) -> Result<Vec<(u64, Run)>, Error> {
        // One that goes on has runs behind it as well.
        self.known(name)?;
        let newest = self.inner.context.ledger.entry(name).await.and_then(|entry| entry.run);
        Ok(match newest {
            Some(newest) => self.row(name).all(newest).await,
            None => Vec::new(),
        })
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn run(&self, name: &str, number: u64) -> Result<Option<Run>, Error> {
        self.known(name)?;
        let newest = self.inner.context.ledger.entry(name).await.and_then(|entry| entry.run);
        Ok(match newest.filter(|newest| number <= *newest) {
            Some(_) => self.row(name).read(number).await,
            None => None,
        })
    }

    /// How one that is over was; what the ledger says alone where nobody remembers more.
    pub(super) async fn past(&self, name: &str, entry: &Entry) -> Run {
        let run = match entry.run {
            Some(number) => self.row(name).read(number).await,
            None => None,
        };
        run.filter(|run| is_of(&run.datastream.summary, name, entry))
            .unwrap_or_else(|| Run {
                datastream: from_ledger(entry_summary(name, entry)),
                series: Series::default(),
                lag: Lag::default(),
                lines: Vec::new(),
            })
    }

    /// Reads in short what is remembered of all that are over.
    pub(super) async fn read_past(self) {
        let entries = self.inner.context.ledger.entries().await;
        let over = entries.into_iter().filter(|(_, entry)| !entry.standing.is_wanted());
        let read = stream::iter(over.map(|(name, entry)| {
            let jobs = self.clone();
            async move {
                let summary = jobs.past(&name, &entry).await.datastream.summary;
                jobs.inner.ended.lock().insert(name, summary);
            }
        }));
        read.buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    fn row(&self, name: &str) -> Runs {
        let context = &self.inner.context;
        Runs::of(name, context.store.clone(), context.clock.clone())
    }
}

/// Whether a run is the one that the ledger means: the end of the newest may have been written, and the run not.
fn is_of(summary: &Summary, name: &str, entry: &Entry) -> bool {
    (summary.job == entry.job(name).to_string()) && summary.since_ms == entry.at.0
}

/// What the ledger says of one.
pub(super) fn entry_summary(name: &str, entry: &Entry) -> Summary {
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
        started_ms: entry.begun.map(|begun| begun.0),
        ..Summary::begin(name, entry.job(name).to_string(), (state, entry.at.0))
    }
}

/// A datastream of which nobody remembers more than the ledger says.
pub(crate) fn from_ledger(summary: Summary) -> Datastream {
    Datastream {
        summary,
        moved_ms: std::collections::BTreeMap::new(),
        contact: None,
        document: String::new(),
        generation: String::new(),
        vertices: Vec::new(),
        edges: Vec::new(),
        checkpoints: Checkpoints::default(),
        exceptions: Vec::new(),
        watermark: None,
        operations: Vec::new(),
        dead_letters: Vec::new(),
        losses: Vec::new(),
        resources: None,
        findings: Vec::new(),
    }
}
