//! `weir state verify`: reads every object that a restore could need, wholly, and names those that are not as they were written.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use dataflow::Failure;
use dataflow::id::JobId;
use jobmanager::store::{Chain, Record};
use serde::Serialize;
use taskmanager::state::inspect::Files;

use super::place::{IN_FLIGHT, Place, What, overtaken, parts};
use crate::args::{Kept, OutputForm};
use crate::exit::{Exit, Stop};
use crate::output::{bytes, plain, show};
use crate::wiring;

/// One object, and what is wrong with it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    /// Its path below the state folder, or the savepoint's.
    object: String,
    /// Whose state it is; none of a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtask: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// What was looked at so far.
#[derive(Default)]
struct Verdicts {
    all: Vec<Verdict>,
    seen: BTreeSet<String>,
}

pub(super) async fn verify(kept: &Kept, form: OutputForm) -> Result<Exit, Stop> {
    let place = Place::of(kept).await?;
    let mut verdicts = Verdicts::default();
    match &place.what {
        What::Savepoint(label) => verdicts.savepoint(&place, label).await?,
        What::Job(job) => {
            verdicts.chain(&place, job).await?;
            verdicts.savepoints(&place, job).await?;
        }
    }
    let verdicts = verdicts.all;
    let bad = verdicts.iter().filter(|verdict| verdict.problem.is_some()).count();
    show(form, &verdicts, |verdicts| {
        let mut text = String::new();
        for verdict in verdicts {
            let whose = [&verdict.step, &verdict.subtask].into_iter().flatten();
            let whose: String = whose.map(|part| format!(" {}", plain(part))).collect();
            let object = plain(&verdict.object);
            let _ = match &verdict.problem {
                None => writeln!(
                    text,
                    "ok   {object}{whose} {}",
                    verdict.bytes.map_or(String::new(), bytes)
                ),
                Some(problem) => writeln!(text, "BAD  {object}{whose}: {}", plain(problem)),
            };
        }
        let _ = writeln!(text, "{} objects, {bad} bad", verdicts.len());
        text
    })?;
    Ok(if bad > 0 { Exit::Failed } else { Exit::Success })
}

impl Verdicts {
    /// All records of a job that are kept, and what they name.
    async fn chain(&mut self, place: &Place, job: &JobId) -> Result<(), Stop> {
        let chain = Chain::new(Arc::clone(&place.store), job.clone(), wiring::clock());
        let listed = place.store.list(&chain.folder()).await;
        let listed = listed.map_err(|error| Failure::from(&error))?;
        let mut numbers: Vec<_> = listed.iter().filter_map(|object| chain.number(&object.path)).collect();
        numbers.sort_unstable();
        let newest = numbers.last().copied();
        let (prefix, files) = (jobmanager::savepoint::state_folder(job), place.files()?);
        for epoch in numbers {
            // The newest is read with its document, which may stand in an older one.
            let read = if Some(epoch) == newest {
                chain.at(epoch).await.map(|(record, _)| record)
            } else {
                chain.read(epoch).await
            };
            let object = chain.path(epoch.0);
            match read {
                Ok(record) => {
                    self.record(object, None);
                    self.named(&record, &files, &prefix).await;
                }
                Err(error) => self.record(object, Some(error.failure().to_string())),
            }
        }
        Ok(())
    }

    /// Those savepoints in the state folder that are of this job, and those of which nobody can say it.
    async fn savepoints(&mut self, place: &Place, job: &JobId) -> Result<(), Stop> {
        let listed = place.store.list("savepoints").await;
        let listed = listed.map_err(|error| Failure::from(&error))?;
        for object in listed {
            let label = object.path.strip_prefix("savepoints/");
            let Some(label) = label.and_then(|name| name.strip_suffix(".record")) else {
                continue;
            };
            match place.savepoint(label).await {
                Ok(record) if record.job != *job => {}
                Ok(_) | Err(_) => self.savepoint(&place.beside(label), label).await?,
            }
        }
        Ok(())
    }

    async fn savepoint(&mut self, place: &Place, label: &str) -> Result<(), Stop> {
        let object = format!("{label}.record");
        match place.savepoint(label).await {
            Ok(record) => {
                self.record(object, None);
                self.named(&record, &place.files()?, label).await;
            }
            Err(stop) => self.record(object, Some(stop.to_string())),
        }
        Ok(())
    }

    fn record(&mut self, object: String, problem: Option<String>) {
        self.all.push(Verdict {
            object,
            step: None,
            subtask: None,
            bytes: None,
            problem,
        });
    }

    /// What a record names: each file once, whoever else names it.
    async fn named(&mut self, record: &Record, files: &Files, prefix: &str) {
        let parts = match parts(record) {
            Ok(parts) => parts,
            Err(failure) => return self.record(record.epoch.to_string(), Some(failure.to_string())),
        };
        for part in parts {
            let seen = &mut self.seen;
            let new = |object: &str| seen.insert(format!("{prefix}/{object}"));
            for (cut, outcome) in part.state.verify(files, new).await {
                let object = match cut.object {
                    Some(object) => format!("{prefix}/{object}"),
                    None => format!("{}, in the snapshot", record.epoch),
                };
                self.all.push(Verdict {
                    object,
                    step: Some(part.step.clone()),
                    subtask: Some(part.subtask.clone()),
                    bytes: Some(cut.bytes),
                    problem: outcome.err().map(|failure| failure.message),
                });
            }
        }
        self.in_flight(record, files, prefix).await;
    }

    /// What the barrier of a record overtook.
    async fn in_flight(&mut self, record: &Record, files: &Files, prefix: &str) {
        let stowed = match overtaken(record) {
            Ok(stowed) => stowed,
            Err(failure) => return self.record(record.epoch.to_string(), Some(failure.to_string())),
        };
        for (subtask, stowed) in stowed {
            let outcome = files.overtaken(&stowed).await;
            self.all.push(Verdict {
                object: format!("{prefix}/{}", stowed.object),
                step: Some(IN_FLIGHT.to_owned()),
                subtask: Some(subtask),
                bytes: Some(stowed.bytes),
                problem: outcome.err().map(|failure| failure.message),
            });
        }
    }
}
