//! What a datastream has kept as files: folders, files, what they hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an archive of a datastream holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Archive {
    /// The sinks of the datastream that can be looked into, what is called `archive:` first; none where it keeps nothing.
    pub sinks: Vec<ArchiveSink>,
    /// The one that was looked into.
    pub sink: String,
    /// Its folder, as the document names it.
    pub path: String,
    /// How many files it holds altogether.
    pub files_total: u64,
    /// How large they are altogether.
    pub bytes_total: u64,
    /// The folders with files in them, by name; bounded.
    pub partitions: Vec<ArchivePartition>,
    /// The files that were asked for, by path.
    pub files: Vec<ArchiveFile>,
    /// What to ask for `after` next, where there are more files.
    pub next: Option<String>,
}

/// A sink that can be looked into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveSink {
    /// Its step.
    pub step: String,
    /// Its folder, as the document names it.
    pub path: String,
}

/// A folder with files in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchivePartition {
    /// Its path, such as `eventType=PURCHASE/date=2026-11-22/hour=13`; empty for the archive itself.
    pub folder: String,
    /// How many files are in it.
    pub files: u64,
    /// How large they are.
    pub bytes: u64,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveFile {
    /// Its path below the archive's folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// How many rows it holds.
    pub rows: u64,
    /// The lowest event time in it, in milliseconds since 1970 UTC, where its footer says so.
    pub from_ms: Option<i64>,
    /// The highest event time in it, likewise.
    pub to_ms: Option<i64>,
    /// The job that wrote it, where its footer says so.
    pub job: Option<String>,
    /// The epoch that was restored when it was begun, where its footer says so.
    pub epoch: Option<u64>,
}
