//! Three datastreams on one cluster: windows, uniques, running totals. Each kill hits them all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Deadline, until};

/// Room for one subtask of each datastream.
const SLOTS: &str = "3";
/// What a datastream may take to go on after a blow, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Rows a second of each datastream; of the uniques so many times more, so that a checkpoint's keys are a file and not a
/// part of the record.
const THROUGHPUT: u64 = 3_000;
const MORE_UNIQUES: u64 = 2;

/// The datastreams, by name.
pub(super) const STREAMS: [&str; 3] = ["windows", "uniques", "totals"];

/// Processes, and what runs on them.
pub(super) struct Fleet {
    pub(super) cluster: Cluster,
    folder: PathBuf,
    seed: u64,
    events: u64,
    next_name: u32,
}

/// How one datastream is.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) state: String,
    pub(super) epoch: u64,
    pub(super) rows: u64,
}

impl Fleet {
    /// A job manager, two task managers, three datastreams that have each committed something.
    pub(super) fn start(folder: &Path, seed: u64, events: u64) -> Result<Self> {
        let cluster = Cluster::start(folder, &[])?;
        let mut fleet = Self {
            cluster,
            folder: folder.to_owned(),
            seed,
            events,
            next_name: 0,
        };
        fleet.add_taskmanager()?;
        fleet.add_taskmanager()?;
        for name in STREAMS {
            fleet.cluster.submit(&fleet.document(name))?;
        }
        let none = STREAMS.map(|name| (name, 0)).into();
        fleet.until_past(&none, 1)?;
        Ok(fleet)
    }

    /// Another task manager, under a name of its own.
    pub(super) fn add_taskmanager(&mut self) -> Result<()> {
        self.next_name += 1;
        let name = format!("tm-{}", self.next_name);
        self.cluster.start_taskmanager(&name, &["--slots", SLOTS])
    }

    /// How all datastreams are; none where nobody answers.
    pub(super) fn look(&self) -> Result<Option<BTreeMap<&'static str, Seen>>> {
        let Ok(list) = self.cluster.ask("/v1/datastreams") else {
            return Ok(None);
        };
        let mut all = BTreeMap::new();
        for summary in list.as_array().into_iter().flatten() {
            let Some(name) = STREAMS.into_iter().find(|name| summary["name"] == *name) else {
                continue;
            };
            let seen = Seen {
                state: summary["state"].as_str().unwrap_or_default().to_owned(),
                epoch: summary["epoch"].as_u64().unwrap_or(0),
                rows: summary["progress"]["rowsIn"].as_u64().unwrap_or(0),
            };
            if seen.state == "failed" {
                bail!("{name} failed: {}", summary["reason"]);
            }
            all.insert(name, seen);
        }
        // One that was just made leader may not know all of them yet.
        Ok(Some(all).filter(|all| all.len() == STREAMS.len()))
    }

    /// Waits until all of them are in the middle of their work; false where one has come near its end.
    pub(super) fn until_in_flow(&self) -> Result<bool> {
        until("all datastreams to flow", Deadline::of(PATIENCE), || {
            let Some(all) = self.look()? else { return Ok(None) };
            let near_end =
                |(name, seen): (&&str, &Seen)| seen.state == "finished" || seen.rows > self.count(name) / 10 * 9;
            if all.iter().any(near_end) {
                return Ok(Some(false));
            }
            let flows = |seen: &Seen| seen.state == "running" && seen.epoch > 0;
            Ok(all.values().all(flows).then_some(true))
        })
    }

    /// The newest records, as an outsider sees them in the store.
    pub(super) fn heads(&self) -> Result<BTreeMap<&'static str, u64>> {
        let head = |name: &'static str| -> Result<(&'static str, u64)> {
            let folder = self.folder.join(format!("state/jobs/{name}@1/epochs"));
            let mut newest = None;
            for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
                let name = entry?.file_name();
                let number = name.to_str().and_then(|name| name.strip_suffix(".record"));
                newest = newest.max(number.and_then(|number| number.parse::<u64>().ok()));
            }
            Ok((name, newest.with_context(|| format!("no record of {name}"))?))
        };
        STREAMS.into_iter().map(head).collect()
    }

    /// Waits until every datastream runs and its chain is so many records longer, or it has finished.
    pub(super) fn until_past(&self, heads: &BTreeMap<&'static str, u64>, records: u64) -> Result<()> {
        until("all datastreams to commit again", Deadline::of(PATIENCE), || {
            let Some(all) = self.look()? else { return Ok(None) };
            let goes_on = |(name, seen): (&&'static str, &Seen)| {
                let head = heads.get(*name).copied().unwrap_or(0);
                seen.state == "finished" || (seen.state == "running" && seen.epoch >= head + records)
            };
            Ok(all.iter().all(goes_on).then_some(()))
        })
        .with_context(|| format!("they are {:?}, and were at {heads:?}", self.look()))
    }

    /// Waits for their ends.
    pub(super) fn until_finished(&self) -> Result<()> {
        for name in STREAMS {
            self.cluster.until_finished(name, PATIENCE)?;
        }
        Ok(())
    }

    /// Where a datastream writes.
    pub(super) fn output(&self, name: &str) -> PathBuf {
        self.folder.join("out").join(name)
    }

    /// How many events a datastream reads.
    fn count(&self, name: &str) -> u64 {
        self.events * share(name)
    }

    /// The generator's options.
    pub(super) fn options(&self, name: &str) -> Value {
        let (seed, count) = (self.seed % 1_000_000, self.count(name));
        let mut options =
            json!({"events": "shop", "count": count, "splits": 2, "seed": seed, "rate": 200, "companies": 100});
        match name {
            "windows" => options["late"] = json!(0.002),
            "uniques" => options["duplicates"] = json!(0.1),
            _ => {}
        }
        options
    }

    fn document(&self, name: &str) -> String {
        let out = |name: &str| self.output(name).display().to_string();
        let mut generator = self.options(name);
        generator["throughput"] = json!(THROUGHPUT * share(name));
        let typed = "format: { json: { schema: { eventId: string, companyId: int64, eventTime: timestamp } } }";
        // JSON is YAML.
        let rest = match name {
            "windows" => format!(
                "checkpoint: {{ interval: 200ms }}\nsources:\n  - name: events\n    generator: {generator}\n    {typed}\n    eventTime: {{ field: eventTime, maxOutOfOrderness: 4s }}\n\
                 steps:\n  - name: perMinute\n    keyBy: [companyId]\n    window: {{ tumbling: 1m }}\n    aggregate: {{ events: count(*) }}\n  \
                 - select: {{ companyId: companyId, starttime: window_start, events: events }}\n\
                 sinks:\n  - name: counts\n    file: {{ path: \"{}\", roll: {{ size: 1MiB, every: 1s }} }}\n  \
                 - name: late\n    input: perMinute.late\n    file: {{ path: \"{}\", roll: {{ size: 1MiB, every: 1s }} }}\n",
                out("windows"),
                out("late")
            ),
            "uniques" => format!(
                "checkpoint: {{ interval: 500ms }}\nsources:\n  - name: events\n    generator: {generator}\n    eventTime: {{ field: eventTime, maxOutOfOrderness: 30s }}\n\
                 steps:\n  - dedup: {{ key: [eventId], within: 24h }}\n\
                 sinks:\n  - name: rows\n    parquet: {{ path: \"{}\", partitionBy: [], roll: {{ size: 4MiB, every: 1s }} }}\n",
                out("uniques")
            ),
            _ => format!(
                "checkpoint: {{ interval: 200ms }}\nsources:\n  - name: events\n    generator: {generator}\n    {typed}\n\
                 steps:\n  - name: perCompany\n    keyBy: [companyId]\n    aggregate: {{ n: count(*) }}\n\
                 sinks:\n  - name: changes\n    file: {{ path: \"{}\", changelog: true, roll: {{ size: 4MiB, every: 1s }} }}\n",
                out("totals")
            ),
        };
        format!(
            "datastreamName: {name}\ncontactName: chaos\ndesiredState: ON\nparallelism: 2\n\
             restart: {{ exponential: {{ first: 100ms, longest: 1s, quiet: 10s }} }}\n{rest}"
        )
    }
}

/// How many times the rows of the others a datastream has.
fn share(name: &str) -> u64 {
    if name == "uniques" { MORE_UNIQUES } else { 1 }
}
