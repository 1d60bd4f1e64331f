//! `weir state`: reads the state of a checkpoint in the store, without running anything.

use std::fmt::Write as _;
use std::sync::Arc;

use dataflow::store::Store;
use dataflow::{Failure, Scope};
use jobmanager::store::{Chain, Record};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use taskmanager::overtaken::Stowed;
use taskmanager::state::inspect::{Files, Held, StepState};

use crate::args::{Cluster, Kept, OutputForm, State};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{Table, bytes, count, plain, show};
use crate::wiring;

pub(crate) async fn state(verb: &State, form: OutputForm) -> Result<Exit, Stop> {
    match verb {
        State::Ls { kept } => ls(kept, form).await.map(|()| Exit::Success),
        State::Get { kept, step, key } => get(kept, step, key, form).await,
        State::Verify { kept } => verify(kept, form).await,
        State::Gc { name, dry_run, cluster } => gc(name.as_deref(), *dry_run, cluster, form)
            .await
            .map(|()| Exit::Success),
    }
}

#[expect(clippy::fn_params_excessive_bools, reason = "the flag of the command")]
async fn gc(name: Option<&str>, dry_run: bool, cluster: &Cluster, form: OutputForm) -> Result<(), Stop> {
    let swept = Client::new(&cluster.cluster)?.sweep(name, dry_run).await?;
    let verb = if dry_run { "would go" } else { "went" };
    show(form, &swept, |swept| {
        let mut text = String::new();
        for one in swept {
            let (records, objects) = (count(one.records.len() as u64), count(one.objects.len() as u64));
            let _ = writeln!(text, "{}: {records} records and {objects} state files {verb}", one.job);
            // What went is gone; what would go can still be looked at.
            for object in one.objects.iter().filter(|_| dry_run) {
                let _ = writeln!(text, "  {}", plain(object));
            }
        }
        text
    })
}

/// The head of a job's chain, and where its files are.
struct Checkpoint {
    record: Record,
    files: Files,
}

/// One step's state in one subtask.
struct Part {
    step: String,
    subtask: String,
    state: StepState,
}

impl Checkpoint {
    async fn open(kept: &Kept) -> Result<Self, Stop> {
        // `weir run` has a folder for each datastream below the one it is given; a cluster has all in one.
        let name = kept.name.split('@').next().unwrap_or(&kept.name);
        let of_run = format!("{}/{name}", kept.state.trim_end_matches('/'));
        for url in [kept.state.clone(), of_run] {
            let store = wiring::state_store(&url)?;
            if let Some((job, record)) = head(&store, &kept.name).await? {
                let scope = Scope::root("state", tokio::runtime::Handle::current());
                let clock = wiring::clock();
                let root = format!("{}/jobs/{job}/state", url.trim_end_matches('/'));
                let files = Files::new(wiring::state_store(&root)?, clock, scope);
                return Ok(Self { record, files });
            }
        }
        let text = format!("there is no checkpoint of `{}` in {}", kept.name, kept.state);
        Err(Stop::new(Exit::Refused, text)
            .help("name the folder with --state: that of the job manager, or of `weir run`"))
    }

    fn parts(&self) -> Result<Vec<Part>, Stop> {
        let mut parts = Vec::new();
        for subtask in &self.record.subtasks {
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
}

impl Checkpoint {
    /// What the barrier overtook in each subtask, where it did.
    fn overtaken(&self) -> Result<Vec<(String, Stowed)>, Stop> {
        #[derive(Deserialize)]
        struct Part {
            overtaken: Option<Stowed>,
        }
        let mut all = Vec::new();
        for subtask in &self.record.subtasks {
            let label = format!("sub-{}.{}", subtask.vertex.0, subtask.index);
            let part: Part = serde_json::from_str(subtask.snapshot.get())
                .map_err(|error| Failure::fail(format!("the snapshot of {label} cannot be read")).because(&error))?;
            all.extend(part.overtaken.map(|stowed| (label, stowed)));
        }
        Ok(all)
    }
}

/// What stands for a step where rows were on their way.
const IN_FLIGHT: &str = "(in flight)";

/// The newest life of a datastream that has a checkpoint, or the one that was named.
async fn head(store: &Arc<dyn Store>, name: &str) -> Result<Option<(String, Record)>, Stop> {
    let mut found = None;
    let lives: Vec<String> = match name.contains('@') {
        true => vec![name.to_owned()],
        false => (1..=LIVES_MAX).map(|life| format!("{name}@{life}")).collect(),
    };
    for job in lives {
        let id = job
            .parse()
            .map_err(|error| Stop::from(Failure::fail(format!("`{name}` is no datastream")).because(&error)))?;
        let chain = Chain::new(Arc::clone(store), id, wiring::clock());
        match chain.head().await {
            Ok(Some((record, _))) => found = Some((job, record)),
            Ok(None) => break,
            Err(error) => return Err(error.failure().into()),
        }
    }
    Ok(found)
}

/// Lives are counted from 1; nobody starts one anew so often.
const LIVES_MAX: u32 = 100_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    step: String,
    subtask: String,
    cuts: u64,
    files: u64,
    bytes: u64,
    /// With those that were changed again later.
    entries: u64,
}

async fn ls(kept: &Kept, form: OutputForm) -> Result<(), Stop> {
    let checkpoint = Checkpoint::open(kept).await?;
    let mut rows = Vec::new();
    for part in checkpoint.parts()? {
        let cuts = part.state.cuts()?;
        rows.push(Row {
            step: part.step,
            subtask: part.subtask,
            cuts: cuts.len() as u64,
            files: cuts.iter().filter(|cut| cut.object.is_some()).count() as u64,
            bytes: cuts.iter().map(|cut| cut.bytes).sum(),
            entries: cuts.iter().map(|cut| cut.entries).sum(),
        });
    }
    rows.extend(checkpoint.overtaken()?.into_iter().map(|(subtask, stowed)| Row {
        step: IN_FLIGHT.to_owned(),
        subtask,
        cuts: 0,
        files: 1,
        bytes: stowed.bytes,
        entries: stowed.rows,
    }));
    let epoch = checkpoint.record.epoch;
    show(form, &rows, |rows| {
        let mut table = Table::new(&["step", "subtask", "#cuts", "#files", "#bytes", "#entries"]);
        for row in rows {
            table.row(vec![
                plain(&row.step).into_owned(),
                row.subtask.clone(),
                count(row.cuts),
                count(row.files),
                bytes(row.bytes),
                count(row.entries),
            ]);
        }
        format!("{epoch}\n{table}")
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    subtask: String,
    state: u8,
    namespace: i64,
    key: String,
    /// As the operator wrote it, in hexadecimal.
    value: String,
}

async fn get(kept: &Kept, step: &str, key: &str, form: OutputForm) -> Result<Exit, Stop> {
    let checkpoint = Checkpoint::open(kept).await?;
    let parts = checkpoint.parts()?;
    if !parts.iter().any(|part| part.step == step) {
        let mut steps: Vec<&str> = parts.iter().map(|part| part.step.as_str()).collect();
        steps.dedup();
        let text = format!("`{step}` has no state; there is {}", steps.join(", "));
        return Err(Stop::new(Exit::Refused, text));
    }
    let mut entries = Vec::new();
    for part in parts.into_iter().filter(|part| part.step == step) {
        let (files, key) = (checkpoint.files.clone(), key.to_owned());
        let scope = Scope::root("state", tokio::runtime::Handle::current());
        let held = scope
            .blocking(move || part.state.find(&files, |found| found == key))
            .await??;
        let entry = |held: Held| Entry {
            subtask: part.subtask.clone(),
            state: held.state,
            namespace: held.namespace,
            key: held.key,
            value: held.value.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            }),
        };
        entries.extend(held.into_iter().map(entry));
    }
    show(form, &entries, |entries| {
        let mut table = Table::new(&["subtask", "#state", "#namespace", "key", "value"]);
        for entry in entries {
            table.row(vec![
                entry.subtask.clone(),
                entry.state.to_string(),
                entry.namespace.to_string(),
                plain(&entry.key).into_owned(),
                entry.value.clone(),
            ]);
        }
        table.to_string()
    })?;
    Ok(if entries.is_empty() {
        Exit::Failed
    } else {
        Exit::Success
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    step: String,
    subtask: String,
    cut: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

async fn verify(kept: &Kept, form: OutputForm) -> Result<Exit, Stop> {
    let checkpoint = Checkpoint::open(kept).await?;
    let mut verdicts = Vec::new();
    for part in checkpoint.parts()? {
        for (cut, outcome) in part.state.verify(&checkpoint.files).await {
            verdicts.push(Verdict {
                step: part.step.clone(),
                subtask: part.subtask.clone(),
                cut: cut.object.unwrap_or_else(|| "in the snapshot".to_owned()),
                bytes: cut.bytes,
                problem: outcome.err().map(|failure| failure.message),
            });
        }
    }
    for (subtask, stowed) in checkpoint.overtaken()? {
        let outcome = checkpoint.files.overtaken(&stowed).await;
        verdicts.push(Verdict {
            step: IN_FLIGHT.to_owned(),
            subtask,
            cut: stowed.object,
            bytes: stowed.bytes,
            problem: outcome.err().map(|failure| failure.message),
        });
    }
    let bad = verdicts.iter().filter(|verdict| verdict.problem.is_some()).count();
    show(form, &verdicts, |verdicts| {
        let mut text = String::new();
        for verdict in verdicts {
            let Verdict { step, subtask, cut, .. } = verdict;
            let step = plain(step);
            let _ = match &verdict.problem {
                None => writeln!(text, "ok   {step} {subtask} {cut} {}", bytes(verdict.bytes)),
                Some(problem) => writeln!(text, "BAD  {step} {subtask} {cut}: {}", plain(problem)),
            };
        }
        let _ = writeln!(
            text,
            "{} cuts of {}, {bad} bad",
            verdicts.len(),
            checkpoint.record.epoch
        );
        text
    })?;
    Ok(if bad > 0 { Exit::Failed } else { Exit::Success })
}
