//! Begins a job from what another one left: a savepoint, or a checkpoint in its chain.

use std::sync::Arc;

use dataflow::Failure;
use dataflow::id::{Epoch, Generation, JobId};
use dataflow::store::{Store, Stores};
use dataflow::time::{Clock, WallTime};
use planner::job::JobGraph;

use super::copy::{Folder, copy_all};
use super::make::read;
use super::{FOLDER, named, renamed, state_folder};
use crate::restore::{self, Dropping, Refusal, moved_sinks};
use crate::store::{Chain, Document, Reached, Record, Tallied};

/// What somebody wants to begin from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A savepoint: its label, or the URL of one elsewhere.
    Savepoint(String),
    /// A checkpoint of a job of this cluster: the newest, or one that is still kept.
    Checkpoint(JobId, Option<Epoch>),
}

/// What was found: a record with its document, and where its state files are.
#[derive(Clone, Debug)]
pub struct Found {
    record: Record,
    document: Document,
    folder: Folder,
    label: String,
}

/// Finds it.
///
/// # Errors
/// When it is not there, cannot be read, or lies where this process may not look.
pub async fn find(
    from: &From,
    state: &Arc<dyn Store>,
    stores: &dyn Stores,
    clock: &Arc<dyn Clock>,
) -> Result<Found, Failure> {
    match from {
        From::Savepoint(place) => {
            let (folder, label) = place_of(place, state, stores)?;
            let savepoint = read(&folder, &label).await?;
            let (mut record, folder) = (savepoint.record, folder.below(&label));
            let document = record.document.take();
            let document = document.ok_or_else(|| Failure::bug(format!("savepoint `{label}` holds no document")))?;
            Ok(Found {
                record,
                document,
                folder,
                label,
            })
        }
        From::Checkpoint(job, epoch) => {
            let chain = Chain::new(state.clone(), job.clone(), clock.clone());
            let found = match epoch {
                None => chain.head().await,
                Some(epoch) => chain.at(*epoch).await.map(Some),
            };
            let nothing = || {
                Failure::fail(format!("there is no checkpoint of {job}"))
                    .help("a job is written like orders@1; `weir list -o json` shows them")
            };
            let (mut record, document) = found.map_err(|error| error.failure())?.ok_or_else(nothing)?;
            record.document = None;
            let label = format!("{job}-{}", record.epoch.0);
            let path = state_folder(job);
            let store = state.clone();
            Ok(Found {
                record,
                document,
                folder: Folder { store, path },
                label,
            })
        }
    }
}

/// A plain word is a label in the state folder; anything else ends with one.
fn place_of(place: &str, state: &Arc<dyn Store>, stores: &dyn Stores) -> Result<(Folder, String), Failure> {
    let place = place.trim_end_matches('/').trim_end_matches(".record");
    let Some((url, label)) = place.rsplit_once('/') else {
        let path = FOLDER.to_owned();
        let store = state.clone();
        return Ok((Folder { store, path }, place.to_owned()));
    };
    // As answers say it, and as it is.
    let store = if url == FOLDER || url == format!("{}/{FOLDER}", state.url().trim_end_matches('/')) {
        return Ok((
            Folder {
                store: state.clone(),
                path: FOLDER.to_owned(),
            },
            label.to_owned(),
        ));
    } else {
        stores.open(url).map_err(|error| Failure::from(&error))?
    };
    let path = String::new();
    Ok((Folder { store, path }, label.to_owned()))
}

impl Found {
    /// What was snapshotted, without the document.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Whether its state can be that of another graph.
    ///
    /// # Errors
    /// Where it cannot.
    pub fn fits(&self, new: &JobGraph, dropping: Dropping) -> Result<(), Refusal> {
        let moved = moved_sinks(&self.document.graph, new);
        let mut trial = self.record.clone().published().without_nodes(&moved);
        trial.taken_from = Some(Box::new(self.graph().clone()));
        restore::fits(&trial, &self.document.graph, new, dropping)
    }

    /// The graph that the snapshots are of.
    fn graph(&self) -> &JobGraph {
        self.record.snapshots_of(&self.document.graph)
    }
}

/// Record 0 of another job that begins from what was found; its state files are the job's own when this returns.
///
/// # Errors
/// When they cannot be copied.
pub async fn begin(
    found: Found,
    job: JobId,
    generation: Generation,
    document: Document,
    (state, at): (&Arc<dyn Store>, WallTime),
) -> Result<Record, Failure> {
    let taken_from = Some(found.graph().clone()).filter(|graph| *graph != document.graph);
    let moved = moved_sinks(&found.document.graph, &document.graph);
    let record = found.record.published().without_nodes(&moved);
    let names = named(&record)?;
    let own = format!("from-{}", found.label);
    let to = Folder {
        store: state.clone(),
        path: format!("{}/{own}", state_folder(&job)),
    };
    copy_all(names, &found.folder, &to).await?;
    let record = renamed(record, |name| format!("{own}/{name}"))?;
    Ok(Record {
        subtasks: record.subtasks,
        sources: record.sources,
        taken_from: taken_from.map(Box::new),
        reached: Reached::default(),
        tallied: Tallied::default(),
        ..Record::start(job, generation, document, at)
    })
}
