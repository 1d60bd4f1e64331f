//! What becomes of a submitted document: a new life, more of an old one, or a reason why not.

use dataflow::id::JobId;
use planner::job::JobGraph;

use super::asking::Known;
use super::{Desired, Error, Jobs, Planned};
use crate::job::Begin;
use crate::rest::types::{Outcome, Submitted};
use crate::restore::{self, Dropping, Refusal};
use crate::savepoint::{self, Found};
use crate::store::{self, Appended, Chain, Document, Entry, Record, Standing};

/// Whether the past of a datastream counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fresh {
    /// It goes on where it was.
    #[default]
    Resume,
    /// It begins anew; the old life's state is kept, and nobody uses it.
    Anew,
}

impl Jobs {
    pub(super) async fn submit_alone(
        &self,
        planned: Planned,
        fresh: Fresh,
        dropping: Dropping,
    ) -> Result<Submitted, Error> {
        let name = planned.graph.name.clone();
        self.check_free(&name)?;
        match (self.inner.context.ledger.entry(&name).await, fresh) {
            (None, _) => self.begin(&name, 1, planned, None).await,
            (Some(entry), Fresh::Anew) => self.begin(&name, entry.life + 1, planned, None).await,
            (Some(entry), Fresh::Resume) => self.resume(&entry, planned, dropping).await,
        }
    }

    /// A datastream of this name may begin.
    pub(super) fn check_free(&self, name: &str) -> Result<(), Error> {
        check_name(name)?;
        let summary = match self.known(name) {
            Ok(Known::Task(handle)) => Some(handle.summary.borrow().clone()),
            Ok(Known::Entry(_)) | Err(_) => None,
        };
        match summary.filter(|summary| !summary.state.is_over()) {
            None => Ok(()),
            Some(summary) => Err(Error::AlreadyThere {
                name: name.to_owned(),
                state: summary.state,
            }),
        }
    }

    /// A new life, from the given number on: one that was made but never written into the ledger is passed over.
    pub(super) async fn begin(
        &self,
        name: &str,
        first: u32,
        planned: Planned,
        found: Option<Found>,
    ) -> Result<Submitted, Error> {
        let context = &self.inner.context;
        let document = Document {
            text: planned.text,
            graph: planned.graph,
        };
        // Another life for each try of a leader that was followed would be one too many each time.
        context.ledger.check_term()?;
        let generation = context.next_generation();
        let mut job = JobId {
            name: name.to_owned(),
            life: first,
        };
        let record = loop {
            let chain = Chain::new(context.store.clone(), job.clone(), context.clock.clone());
            let (world, document) = ((&context.store, context.clock.wall()), document.clone());
            let record = match &found {
                None => Record::start(job.clone(), generation, document, context.clock.wall()),
                // Its state files are there before the record that names them.
                Some(found) => savepoint::begin(found.clone(), job.clone(), generation, document, world)
                    .await
                    .map_err(Error::Savepoint)?,
            };
            match chain.append(&record).await? {
                Appended::Ours => break record,
                Appended::Foreign(_) => job.life += 1,
            }
        };
        let submitted = |outcome| Submitted {
            name: name.to_owned(),
            job: job.to_string(),
            outcome,
            epoch: 0,
            operation: None,
        };
        if planned.desired == Desired::Off {
            self.enter_version(&job, document).await?;
            return self.keep_off(&job, submitted(Outcome::Off)).await;
        }
        let entry = context.ledger.set(&job, Standing::Running).await?;
        self.take_up(&job, Begin::New(Box::new((record, document))), entry);
        Ok(submitted(Outcome::Started))
    }

    async fn resume(&self, entry: &Entry, planned: Planned, dropping: Dropping) -> Result<Submitted, Error> {
        let (context, name) = (&self.inner.context, planned.graph.name.clone());
        let job = entry.job(&name);
        let chain = Chain::new(context.store.clone(), job.clone(), context.clock.clone());
        let found = chain.head().await?;
        // It stands in the ledger, so it has a record 0: an empty start would be a loss without a word.
        let (head, document) = found.ok_or_else(|| store::Error::gap(chain.path(0)))?;
        let submitted = |outcome| Submitted {
            name: name.clone(),
            job: job.to_string(),
            outcome,
            epoch: head.epoch.0,
            operation: None,
        };
        if entry.standing == Standing::Finished {
            let same =
                (&document.graph.vertices, &document.graph.edges) == (&planned.graph.vertices, &planned.graph.edges);
            return match same {
                true => Ok(submitted(Outcome::AlreadyFinished)),
                false => Err(Error::FinishedOther { name }),
            };
        }
        fits((&head, &document.graph), entry, &planned.graph, dropping).map_err(|refusal| Error::Incompatible {
            name: name.clone(),
            shown: planned.written.shown(&refusal),
            failure: refusal.failure,
        })?;
        if planned.desired == Desired::Off {
            return self.keep_off(&job, submitted(Outcome::Off)).await;
        }
        let answer = submitted(Outcome::Resumed);
        let new = Document {
            text: planned.text,
            graph: planned.graph,
        };
        let amended = Some(Box::new(new)).filter(|new| **new != document);
        let is_published = amended.is_some() && entry.standing == Standing::Stopped;
        let head = if is_published { head.published() } else { head };
        let entry = context.ledger.set(&job, Standing::Running).await?;
        self.take_up(&job, Begin::Resume(Box::new((head, document)), amended), entry);
        Ok(answer)
    }

    async fn keep_off(&self, job: &JobId, answer: Submitted) -> Result<Submitted, Error> {
        let context = &self.inner.context;
        let entry = context.ledger.set(job, Standing::Stopped).await?;
        self.inner.known.lock().insert(job.name.clone(), Known::Entry(entry));
        Ok(answer)
    }
}

/// Whether the state of a job that is over can be that of another graph.
fn fits((head, old): (&Record, &JobGraph), entry: &Entry, new: &JobGraph, dropping: Dropping) -> Result<(), Refusal> {
    let mut trial = head.clone();
    trial.taken_from = Some(Box::new(head.snapshots_of(old).clone()));
    // Whoever stopped it has waited for its commits.
    let trial = if entry.standing == Standing::Stopped {
        trial.published()
    } else {
        trial
    };
    restore::fits(&trial, old, new, dropping)
}

/// A name is part of paths, of file names and of metrics.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let begins = name.chars().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if begins && name.len() <= 100 && name.chars().all(plain) {
        Ok(())
    } else {
        Err(Error::Name { name: name.to_owned() })
    }
}
