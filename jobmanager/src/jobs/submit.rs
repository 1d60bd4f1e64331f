//! What becomes of a submitted document: a new life, more of an old one, or a reason why not.

use dataflow::id::JobId;
use planner::job::JobGraph;

use super::asking::Known;
use super::{Desired, Error, Jobs, Planned};
use crate::job::Begin;
use crate::rest::types::{Outcome, Submitted};
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
    pub(super) async fn submit_whole(&self, planned: Planned, fresh: Fresh) -> Result<Submitted, Error> {
        let name = planned.graph.name.clone();
        check_name(&name)?;
        let _one_at_a_time = self.inner.gate.lock().await;
        let summary = match self.known(&name) {
            Ok(Known::Task(handle)) => Some(handle.summary.borrow().clone()),
            Ok(Known::Entry(_)) | Err(_) => None,
        };
        if let Some(summary) = summary.filter(|summary| !summary.state.is_over()) {
            return Err(Error::AlreadyThere {
                name,
                state: summary.state,
            });
        }
        match (self.inner.context.ledger.entry(&name).await, fresh) {
            (None, _) => self.begin(&name, 1, planned).await,
            (Some(entry), Fresh::Anew) => self.begin(&name, entry.life + 1, planned).await,
            (Some(entry), Fresh::Resume) => self.resume(&entry, planned).await,
        }
    }

    /// A new life, from the given number on: one that was made but never written into the ledger is passed over.
    async fn begin(&self, name: &str, first: u32, planned: Planned) -> Result<Submitted, Error> {
        let context = &self.inner.context;
        let document = Document {
            text: planned.text,
            graph: planned.graph,
        };
        let generation = context.next_generation();
        let mut job = JobId {
            name: name.to_owned(),
            life: first,
        };
        let record = loop {
            let chain = Chain::new(context.store.clone(), job.clone(), context.clock.clone());
            let record = Record::start(job.clone(), generation, document.clone(), context.clock.wall());
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
        };
        if planned.desired == Desired::Off {
            return self.keep_off(&job, submitted(Outcome::Off)).await;
        }
        context.ledger.set(&job, Standing::Running).await?;
        self.take_up(&job, Begin::New(Box::new((record, document))), Standing::Running);
        Ok(submitted(Outcome::Started))
    }

    async fn resume(&self, entry: &Entry, planned: Planned) -> Result<Submitted, Error> {
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
        };
        let difference = difference(&document.graph, &planned.graph);
        if entry.standing == Standing::Finished {
            return match difference {
                None => Ok(submitted(Outcome::AlreadyFinished)),
                Some(_) => Err(Error::FinishedOther { name }),
            };
        }
        if let Some(difference) = difference {
            return Err(Error::Incompatible { name, difference });
        }
        if planned.desired == Desired::Off {
            return self.keep_off(&job, submitted(Outcome::Off)).await;
        }
        let answer = submitted(Outcome::Resumed);
        let new = Document {
            text: planned.text,
            graph: planned.graph,
        };
        let amended = Some(Box::new(new)).filter(|new| **new != document);
        context.ledger.set(&job, Standing::Running).await?;
        self.take_up(
            &job,
            Begin::Resume(Box::new((head, document)), amended),
            Standing::Running,
        );
        Ok(answer)
    }

    async fn keep_off(&self, job: &JobId, answer: Submitted) -> Result<Submitted, Error> {
        let context = &self.inner.context;
        context.ledger.set(job, Standing::Stopped).await?;
        let entry = Entry {
            life: job.life,
            standing: Standing::Stopped,
            at: context.clock.wall(),
        };
        self.inner.known.lock().insert(job.name.clone(), Known::Entry(entry));
        Ok(answer)
    }
}

/// What keeps the state of one graph from being that of the other; settings may differ, but for the key groups.
fn difference(old: &JobGraph, new: &JobGraph) -> Option<String> {
    if old.settings.max_parallelism != new.settings.max_parallelism {
        return Some("`maxParallelism` is fixed for the life of a datastream".to_owned());
    }
    let names = |graph: &JobGraph| {
        graph
            .vertices
            .iter()
            .map(|vertex| vertex.name.clone())
            .collect::<Vec<_>>()
    };
    if names(old) != names(new) {
        return Some(format!(
            "its steps were {}, and are {}",
            names(old).join("; "),
            names(new).join("; ")
        ));
    }
    let changed = old.vertices.iter().zip(&new.vertices).find(|(old, new)| old != new);
    if let Some((old, new)) = changed {
        let what = if old.parallelism == new.parallelism {
            "what it does"
        } else {
            "its parallelism"
        };
        return Some(format!("{what} has changed in `{}`", new.name));
    }
    (old.edges != new.edges).then(|| "its steps are joined in another way".to_owned())
}

/// A name is part of paths, of file names and of metrics.
fn check_name(name: &str) -> Result<(), Error> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let begins = name.chars().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if begins && name.len() <= 100 && name.chars().all(plain) {
        Ok(())
    } else {
        Err(Error::Name { name: name.to_owned() })
    }
}
