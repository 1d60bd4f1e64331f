//! `weir state`: reads the state of a checkpoint or a savepoint in the store, without running anything.

mod place;
mod verify;

use std::fmt::Write as _;

use dataflow::Scope;
use serde::Serialize;
use taskmanager::state::inspect::Held;

use crate::args::{Cluster, Kept, OutputForm, State};
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::output::{Table, bytes, count, plain, show};
use place::Place;

pub(crate) async fn state(verb: &State, form: OutputForm) -> Result<Exit, Stop> {
    match verb {
        State::Ls { kept } => ls(kept, form).await.map(|()| Exit::Success),
        State::Get { kept, step, key } => get(kept, step, key, form).await,
        State::Verify { kept } => verify::verify(kept, form).await,
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
    let checkpoint = Place::of(kept).await?.newest().await?;
    let mut rows = Vec::new();
    for part in place::parts(&checkpoint.record)? {
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
    let in_flight = place::overtaken(&checkpoint.record)?.into_iter();
    rows.extend(in_flight.map(|(subtask, stowed)| Row {
        step: place::IN_FLIGHT.to_owned(),
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

/// A key as a person writes it: of a stream without a schema it is the JSON of its values, where strings have quotes.
fn bare(key: &str) -> String {
    key.replace('"', "")
}

async fn get(kept: &Kept, step: &str, key: &str, form: OutputForm) -> Result<Exit, Stop> {
    let checkpoint = Place::of(kept).await?.newest().await?;
    let parts = place::parts(&checkpoint.record)?;
    if !parts.iter().any(|part| part.step == step) {
        let mut steps: Vec<&str> = parts.iter().map(|part| part.step.as_str()).collect();
        steps.dedup();
        let text = format!("`{step}` has no state; there is {}", steps.join(", "));
        return Err(Stop::new(Exit::Refused, text));
    }
    let mut entries = Vec::new();
    for part in parts.into_iter().filter(|part| part.step == step) {
        let (files, wanted) = (checkpoint.files.clone(), bare(key));
        let scope = Scope::root("state", tokio::runtime::Handle::current());
        let held = scope
            .blocking(move || part.state.find(&files, |found| bare(found) == wanted))
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
