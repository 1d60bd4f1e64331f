//! Files that are written in sealed segments and become visible, whole, at a commit: what `file` and `parquet` have in common.
//!
//! ```text
//!   write ──> <root>/_weir/pending/<job>/<attempt>/<uuid>.pending     hidden from readers of the folder
//!   barrier ──> the open segment is sealed: durable, never written again
//!   roll ──> committable { final name, its segments }
//!   commit ──> one segment: copied (locally: linked) to its name; several: stitched · then the segments are deleted
//! ```
//! A file that goes on across a checkpoint is a list of sealed segments in the sink's state; whoever restores it goes on
//! with segments of its own. The final name holds the file's uuid and stands in the committable, so that a
//! repeated commit finds what it made before. Segments of attempts that died before their record are named by nobody;
//! they stay below `_weir/pending` until they are swept.

pub(crate) mod commit;
mod file;
mod pending;
mod roll;

pub(crate) use file::{File, Writer};
pub(crate) use pending::{CHUNK_BYTES, Pending};
pub(crate) use roll::Roll;

use arrow_schema::SchemaRef;
use dataflow::contract::sink::{Kinds, Wants};
use dataflow::contract::{Committable, InvalidOptions, SinkContext, SinkState};
use dataflow::time::WallTime;
use dataflow::{Failure, element::columns};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// Where in a sink's folder its segments lie.
const PENDING: &str = "_weir/pending";

/// A part of a file: durable, immutable, and named by whoever must not lose it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    /// Its path below the sink's root.
    pub(crate) path: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// How many rows it holds.
    pub(crate) rows: u64,
}

/// A file that is not finished, as the state tells the next attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenFile {
    /// The URL of the folder it belongs to.
    pub(crate) root: String,
    /// The path it will have there.
    pub(crate) name: String,
    /// What all its segments have in common, such as their schema.
    pub(crate) kind: String,
    /// What it holds so far.
    pub(crate) segments: Vec<Segment>,
    /// How long it has been open, in milliseconds.
    pub(crate) age_ms: u64,
}

/// A finished file that is not visible yet: the committable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Publish {
    /// The URL of the folder it belongs to: a changed document may have moved the sink elsewhere.
    pub(crate) root: String,
    /// The path it gets there.
    pub(crate) name: String,
    /// What it is made of, in this order.
    pub(crate) segments: Vec<Segment>,
}

impl Publish {
    /// As the record of an epoch holds it.
    pub(crate) fn committable(&self) -> Result<Committable, Failure> {
        written(self).map(Committable)
    }
}

/// The state of a sink with these files open.
pub(crate) fn state(files: &[OpenFile]) -> Result<SinkState, Failure> {
    if files.is_empty() {
        Ok(SinkState::default())
    } else {
        written(&files).map(SinkState)
    }
}

/// The open files of all states that a sink goes on from.
pub(crate) fn restored(states: &[SinkState]) -> Result<Vec<OpenFile>, Failure> {
    let held = states.iter().filter(|state| !state.0.is_null());
    let files: Vec<Vec<OpenFile>> = held.map(|state| read(&state.0, "state")).collect::<Result<_, _>>()?;
    Ok(files.into_iter().flatten().collect())
}

fn written(value: &impl Serialize) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::bug("a sink's state cannot be written").because(&error))
}

fn read<T: DeserializeOwned>(value: &serde_json::Value, what: &str) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| {
        Failure::fail(format!("the {what} of a sink is not one that this version wrote")).because(&error)
    })
}

impl From<OpenFile> for Publish {
    fn from(file: OpenFile) -> Self {
        Self {
            root: file.root,
            name: file.name,
            segments: file.segments,
        }
    }
}

/// Gives files their names.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pending: String,
    subtask: u32,
    prefix: String,
    extension: String,
}

impl Names {
    /// Names of the files of one attempt of one subtask: `<prefix><subtask>-<time>-<uuid>.<extension>`.
    pub(crate) fn new(context: &SinkContext, prefix: &str, extension: &str) -> Self {
        let attempt: String = context
            .attempt
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let pending = format!("{PENDING}/{}/attempt-{attempt}", context.job);
        Self {
            pending,
            subtask: context.subtask.index,
            prefix: prefix.to_owned(),
            extension: extension.to_owned(),
        }
    }

    /// A path for a segment; never given again.
    pub(crate) fn segment(&self) -> String {
        format!("{}/{}.pending", self.pending, Uuid::new_v4().simple())
    }

    /// The name of a new file; never given again. Those of one subtask sort by the time they were begun.
    pub(crate) fn file(&self, now: WallTime) -> String {
        let time = chrono::DateTime::from_timestamp_millis(now.0)
            .unwrap_or_default()
            .format("%Y%m%dT%H%M%S%3f");
        format!(
            "{}{}-{time}-{}.{}",
            self.prefix,
            self.subtask,
            Uuid::new_v4().simple(),
            self.extension
        )
    }
}

/// Checks the folder that a sink writes to.
pub(crate) fn check_path(path: &str) -> Result<(), InvalidOptions> {
    let invalid = |message: &str, help: &str| {
        Err(InvalidOptions {
            pointer: "/path".to_owned(),
            message: message.to_owned(),
            help: Some(help.to_owned()),
        })
    };
    if path.trim().is_empty() {
        return invalid(
            "it names no folder",
            "write a folder, such as `./out` or `s3://bucket/prefix`",
        );
    }
    if path.contains("://") && !path.starts_with("file://") && !path.starts_with("s3://") {
        return invalid(
            "Weir cannot write there",
            "write a folder of this machine, or `s3://bucket/prefix`",
        );
    }
    Ok(())
}

/// Checks how the names of files are to begin.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), InvalidOptions> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
    if prefix.len() <= 100 && !prefix.starts_with(['_', '.']) && prefix.chars().all(plain) {
        return Ok(());
    }
    Err(InvalidOptions {
        pointer: "/prefix".to_owned(),
        message: "the name of a file cannot begin like this".to_owned(),
        help: Some("use at most 100 letters, digits, `-`, `_` and `.`; a first `_` or `.` would hide the files from most readers".to_owned()),
    })
}

/// What a sink of lines wants of its rows; the changelog of a stream of changes, if it is to be one.
pub(crate) fn lines(input: &SchemaRef, changelog: Changelog) -> Wants {
    let (kinds, wanted): (Kinds, &[&str]) = match changelog {
        Changelog::Refused => (Kinds::Inserts, &[columns::RAW]),
        Changelog::Taken => (Kinds::Changes, &[columns::RAW, columns::KIND]),
    };
    Wants {
        reserved: reserved(input, wanted),
        paths: Vec::new(),
        encoded: true,
        kinds,
    }
}

/// Whether a sink writes changes of earlier rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changelog {
    /// New rows only.
    Refused,
    /// What a row was, and what it has become.
    Taken,
}

impl From<bool> for Changelog {
    fn from(written: bool) -> Self {
        if written { Self::Taken } else { Self::Refused }
    }
}

/// The reserved columns of `wanted` that the rows have.
pub(crate) fn reserved(input: &SchemaRef, wanted: &[&str]) -> Vec<String> {
    let there = |name: &str| input.column_with_name(name).is_some();
    wanted
        .iter()
        .filter(|name| !matches!(**name, columns::RAW | columns::KIND) || there(name))
        .map(|name| (*name).to_owned())
        .collect()
}
