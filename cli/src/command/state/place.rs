//! Finds the checkpoints of a datastream, or a savepoint, and where their state files are.

use std::sync::Arc;

use dataflow::id::JobId;
use dataflow::store::Store;
use dataflow::{Failure, Scope};
use jobmanager::savepoint;
use jobmanager::store::{Chain, Record};
use serde::Deserialize;
use serde_json::Value;
use taskmanager::overtaken::Stowed;
use taskmanager::state::inspect::{Files, StepState};

use crate::args::Kept;
use crate::exit::{Exit, Stop};
use crate::wiring;

/// Lives are counted from 1; nobody starts one anew so often.
const LIVES_MAX: u32 = 100_000;

/// The folder of savepoints, as a person may write it in front of a label.
const SAVEPOINTS: &str = "savepoints/";

/// What somebody wants to look at.
pub(super) struct Place {
    pub(super) store: Arc<dyn Store>,
    pub(super) what: What,
    /// The URL of the folder with the state files.
    root: String,
}

pub(super) enum What {
    /// All checkpoints that are kept of a job.
    Job(JobId),
    /// A savepoint: its label, or the URL of one elsewhere.
    Savepoint(String),
}

/// A record, and where its files are.
pub(super) struct Checkpoint {
    pub(super) record: Record,
    pub(super) files: Files,
}

/// One step's state in one subtask.
pub(super) struct Part {
    pub(super) step: String,
    pub(super) subtask: String,
    pub(super) state: StepState,
}

impl Place {
    /// What the arguments name: `NAME`, `NAME@2`, `savepoints/LABEL`, or the path or URL of a savepoint.
    pub(super) async fn of(kept: &Kept) -> Result<Self, Stop> {
        let state = kept.state.trim_end_matches('/');
        if let Some(label) = kept.name.strip_prefix(SAVEPOINTS).filter(|label| !label.contains('/')) {
            return Ok(Self {
                store: wiring::state_store(state)?,
                what: What::Savepoint(label.to_owned()),
                root: format!("{state}/{SAVEPOINTS}{label}"),
            });
        }
        if kept.name.contains('/') {
            let place = kept.name.trim_end_matches('/').trim_end_matches(".record");
            return Ok(Self {
                store: wiring::state_store(state)?,
                what: What::Savepoint(place.to_owned()),
                root: place.to_owned(),
            });
        }
        // `weir run` has a folder for each datastream below the one it is given; a cluster has all in one.
        let name = kept.name.split('@').next().unwrap_or(&kept.name);
        for url in [state.to_owned(), format!("{state}/{name}")] {
            let store = wiring::state_store(&url)?;
            if let Some(job) = newest_life(&store, &kept.name).await? {
                return Ok(Self {
                    root: format!("{url}/{}", savepoint::state_folder(&job)),
                    what: What::Job(job),
                    store,
                });
            }
        }
        let text = format!("there is no checkpoint of `{}` in {}", kept.name, kept.state);
        Err(Stop::new(Exit::Refused, text).help(
            "name the folder with --state: that of the job manager, or of `weir run`; a savepoint is written like `savepoints/LABEL`, or as its URL",
        ))
    }

    /// Reads the state files.
    pub(super) fn files(&self) -> Result<Files, Stop> {
        let scope = Scope::root("state", tokio::runtime::Handle::current());
        Ok(Files::new(wiring::state_store(&self.root)?, wiring::clock(), scope))
    }

    /// The savepoint, or the newest checkpoint.
    pub(super) async fn newest(&self) -> Result<Checkpoint, Stop> {
        let record = match &self.what {
            What::Savepoint(place) => self.savepoint(place).await?,
            What::Job(job) => {
                let chain = Chain::new(Arc::clone(&self.store), job.clone(), wiring::clock());
                let head = chain.head().await.map_err(|error| error.failure())?;
                head.ok_or_else(|| Failure::fail(format!("there is no checkpoint of {job}")))?
                    .0
            }
        };
        Ok(Checkpoint {
            record,
            files: self.files()?,
        })
    }

    /// The record of a savepoint.
    pub(super) async fn savepoint(&self, place: &str) -> Result<Record, Stop> {
        let from = savepoint::From::Savepoint(place.to_owned());
        let stores = wiring::state_stores()?;
        let found = savepoint::find(&from, &self.store, &*stores, &wiring::clock()).await?;
        Ok(found.record().clone())
    }

    /// The same place, as a savepoint of this label in its state folder would have it.
    pub(super) fn beside(&self, label: &str) -> Self {
        let state = self.store.url().trim_end_matches('/');
        Self {
            store: Arc::clone(&self.store),
            what: What::Savepoint(label.to_owned()),
            root: format!("{state}/{SAVEPOINTS}{label}"),
        }
    }
}

/// The state of every step in every subtask.
pub(super) fn parts(record: &Record) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    for subtask in &record.subtasks {
        let label = format!("sub-{}.{}", subtask.vertex.0, subtask.index);
        let snapshot: Value = serde_json::from_str(subtask.snapshot.get())
            .map_err(|error| Failure::fail(format!("the snapshot of {label} cannot be read")).because(&error))?;
        for (step, value) in snapshot["nodes"].as_object().into_iter().flatten() {
            if let Some(state) = StepState::parse(value) {
                parts.push(Part {
                    step: step.clone(),
                    subtask: label.clone(),
                    state,
                });
            }
        }
    }
    Ok(parts)
}

/// What stands for a step where rows were on their way.
pub(super) const IN_FLIGHT: &str = "(in flight)";

/// What the barrier overtook in each subtask, where it did.
pub(super) fn overtaken(record: &Record) -> Result<Vec<(String, Stowed)>, Failure> {
    #[derive(Deserialize)]
    struct Snapshot {
        overtaken: Option<Stowed>,
    }
    let mut all = Vec::new();
    for subtask in &record.subtasks {
        let label = format!("sub-{}.{}", subtask.vertex.0, subtask.index);
        let snapshot: Snapshot = serde_json::from_str(subtask.snapshot.get())
            .map_err(|error| Failure::fail(format!("the snapshot of {label} cannot be read")).because(&error))?;
        all.extend(snapshot.overtaken.map(|stowed| (label, stowed)));
    }
    Ok(all)
}

/// The newest life of a datastream that has records, or the one that was named.
async fn newest_life(store: &Arc<dyn Store>, name: &str) -> Result<Option<JobId>, Stop> {
    let mut found = None;
    let lives: Vec<String> = match name.contains('@') {
        true => vec![name.to_owned()],
        false => (1..=LIVES_MAX).map(|life| format!("{name}@{life}")).collect(),
    };
    for job in lives {
        let id: JobId = job
            .parse()
            .map_err(|error| Stop::from(Failure::fail(format!("`{name}` is no datastream")).because(&error)))?;
        let folder = Chain::new(Arc::clone(store), id.clone(), wiring::clock()).folder();
        let records = store.list(&folder).await.map_err(|error| Failure::from(&error))?;
        if records.is_empty() {
            break;
        }
        found = Some(id);
    }
    Ok(found)
}
