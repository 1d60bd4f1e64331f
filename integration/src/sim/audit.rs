//! What must be true of a simulated world: looked at from outside, at the store and at what the sinks have published.
//!
//! Must stay true: one record of each number, never overwritten, none left out; generations only grow along the chain; a
//! record follows when the commits of the one before it are done; nothing is published that no record holds; in the
//! end every row was published once, and each key was counted 1, 2, 3 …; a task manager's deployments only grow; the terms
//! of the ledger's pages only grow, and what it names is the job: a life that it does not name has a start and no more.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use dataflow::contract::Committable;
use dataflow::id::Generation;
use jobmanager::store::{Kind, Record, open};
use serde_json::Value;
use taskmanager::checkpoint::{SinkSnapshot, Snapshot};

use super::stream::{COUNT, NAME, OUT, Stream, flow_of, step_of};
use super::subtask::{Row, published};

/// What was seen of a world, and the first thing that must not be.
#[derive(Debug, Default)]
pub(super) struct Audit {
    chains: BTreeMap<String, Chain>,
    /// Names of committables that some record holds.
    covered: BTreeSet<String>,
    published: BTreeMap<String, Vec<Row>>,
    admitted: BTreeMap<u64, Generation>,
    /// The folder of the chain that the ledger names, and the term of the page that does.
    named: Option<String>,
    term: u64,
    violation: Option<String>,
}

/// The records of one life of the job.
#[derive(Debug, Default)]
struct Chain {
    records: Vec<Record>,
    /// Names of the committables of the last one.
    committables: Vec<String>,
}

fn committables(record: &Record) -> Vec<Committable> {
    let sinks = record.subtasks.iter().filter_map(|part| {
        let snapshot = Snapshot::decode(part.snapshot.get().as_bytes()).ok()?;
        let step = step_of(OUT, flow_of(part.vertex));
        snapshot.node::<SinkSnapshot>(&step).ok().flatten()
    });
    sinks.flat_map(|sink| sink.committables).collect()
}

/// The term of a page of the ledger, and the folder of the chain of the one datastream in it.
fn page(bytes: &Bytes, path: &str) -> Option<(u64, Option<String>)> {
    let page: Value = open(bytes, path).ok()?;
    let entry = &page["datastreams"][NAME];
    let folder = entry["life"].as_u64().map(|life| format!("jobs/{NAME}@{life}/epochs"));
    Some((page["term"].as_u64()?, folder))
}

/// The chain's folder and the number in the path of a record.
pub(super) fn record_path(path: &str) -> Option<(&str, u64)> {
    let (folder, name) = path.strip_suffix(".record")?.rsplit_once('/')?;
    Some((folder, name.parse().ok()?))
}

impl Audit {
    /// The first rule that was broken.
    pub(super) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    pub(super) fn violated(&mut self, rule: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(rule());
        }
    }

    /// How many records there are.
    pub(super) fn records(&self) -> u64 {
        self.chains.values().map(|chain| chain.records.len() as u64).sum()
    }

    /// The record to which nobody may go back: the last that says something else than the head.
    pub(super) fn outdated(&self, head: u64) -> Option<&Record> {
        let chain = self.chains.get(self.named.as_ref()?)?;
        let known = chain.records.iter().filter(|record| record.epoch.0 <= head);
        known.rev().filter(|record| record.kind != Kind::Fence).nth(1)
    }

    /// An object was made that was not there before, or was overwritten.
    pub(super) fn made(&mut self, path: &str, bytes: &Bytes, before: Option<&Bytes>) {
        if path.starts_with("datastreams/ledger/") {
            return self.written(path, bytes);
        }
        let Some((folder, number)) = record_path(path) else {
            return;
        };
        if before.is_some_and(|before| before != bytes) {
            return self.violated(|| format!("record {number} was overwritten"));
        }
        let record: Record = match open(bytes, path) {
            Ok(record) => record,
            Err(error) => return self.violated(|| format!("record {number} cannot be read: {error}")),
        };
        let chain = self.chains.entry(folder.to_owned()).or_default();
        let rule = chain.follows(&record, &self.published);
        let held = committables(&record);
        chain.committables = held.iter().map(|one| published(one).0).collect();
        self.covered.extend(chain.committables.iter().cloned());
        chain.records.push(record);
        if let Some(rule) = rule {
            self.violated(|| rule);
        }
    }

    /// A page of the ledger was made.
    fn written(&mut self, path: &str, bytes: &Bytes) {
        let Some((term, named)) = page(bytes, path) else {
            return self.violated(|| format!("{path} cannot be read"));
        };
        if term < self.term {
            let newest = self.term;
            self.violated(|| format!("{path} of term {term} follows a page of term {newest}"));
        }
        self.term = term;
        self.named = named.or_else(|| self.named.take());
    }

    /// A sink publishes.
    pub(super) fn publish(&mut self, name: String, recorded: &str, rows: Vec<Row>) {
        if !self.covered.contains(recorded) {
            self.violated(|| format!("{recorded} was published, and no record holds it"));
        }
        self.published.entry(name).or_insert(rows);
    }

    /// A task manager takes a deployment in a session.
    pub(super) fn admit(&mut self, session: u64, generation: Generation) {
        let newest = self.admitted.entry(session).or_insert(generation);
        let older = generation < *newest;
        *newest = generation.max(*newest);
        if older {
            self.violated(|| format!("a task manager runs {generation} after a later one"));
        }
    }

    /// The job says that it has finished.
    pub(super) fn finished(&mut self, stream: &Stream) {
        let rule = self.rows(stream).or_else(|| self.state(stream));
        if let Some(rule) = rule {
            self.violated(|| rule);
        }
    }

    /// Every row once, and the counts of each key without a gap.
    fn rows(&self, stream: &Stream) -> Option<String> {
        let mut seen = BTreeSet::new();
        let mut counts: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for row in self.published.values().flatten() {
            if !seen.insert((row.split, row.position)) {
                return Some(format!(
                    "row {} of split {} was published twice",
                    row.position, row.split
                ));
            }
            counts.entry(row.key).or_default().push(row.count);
        }
        for (split, rows) in (0_u64..).zip(stream.splits()) {
            if let Some(lost) = (0..rows).find(|position| !seen.contains(&(split, *position))) {
                return Some(format!("row {lost} of split {split} was lost"));
            }
        }
        for (key, mut counts) in counts {
            counts.sort_unstable();
            if !counts.iter().copied().eq(1..=counts.len() as u64) {
                return Some(format!("key {key} was counted {counts:?}"));
            }
        }
        None
    }

    /// The state in the last record says the same as what was published.
    fn state(&self, stream: &Stream) -> Option<String> {
        let Some(named) = &self.named else {
            return Some("the job has finished, and the ledger does not know it".to_owned());
        };
        let unnamed = self
            .chains
            .iter()
            .find(|(folder, chain)| *folder != named && chain.records.len() > 1);
        if let Some((folder, chain)) = unnamed {
            let records = chain.records.len();
            return Some(format!(
                "{folder} has {records} records, and the ledger does not name it"
            ));
        }
        let Some(head) = self.chains.get(named).and_then(|chain| chain.records.last()) else {
            return Some(format!("the ledger names {named}, and there is no record"));
        };
        if !head.last {
            return Some(format!(
                "the job has finished, and {} is not marked as the last",
                head.epoch
            ));
        }
        let mut counted = 0;
        for part in &head.subtasks {
            let snapshot = Snapshot::decode(part.snapshot.get().as_bytes()).ok()?;
            let counts = snapshot
                .nodes
                .get(&step_of(COUNT, flow_of(part.vertex)))
                .and_then(Value::as_array);
            let count = |pair: &Value| pair.get(1).and_then(Value::as_u64);
            counted += counts.into_iter().flatten().filter_map(count).sum::<u64>();
        }
        let rows: u64 = stream.splits().sum();
        (counted != rows).then(|| format!("the last state counts {counted} of {rows} rows"))
    }
}

impl Chain {
    /// The rule that a new record breaks.
    fn follows(&self, record: &Record, published: &BTreeMap<String, Vec<Row>>) -> Option<String> {
        let number = record.epoch.0;
        if number != self.records.len() as u64 {
            return Some(format!(
                "record {number} was made when there were {}",
                self.records.len()
            ));
        }
        let before = self.records.last()?;
        if record.generation < before.generation {
            let (old, new) = (record.generation, before.generation);
            return Some(format!("{old} made record {number} behind one of {new}"));
        }
        if before.last {
            return Some(format!("record {number} follows the last one"));
        }
        let uncommitted = self.committables.iter().find(|name| !published.contains_key(*name));
        match (record.kind, uncommitted) {
            (Kind::Checkpoint, Some(name)) => Some(format!("record {number} was made before {name} was committed")),
            _ => None,
        }
    }
}
