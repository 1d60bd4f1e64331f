//! What a document says of a file sink.

use dataflow::contract::InvalidOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::segments::{self, Roll};

/// Writes each record as a line of files in a folder, local or in a bucket; a file becomes visible when it is finished and committed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Options {
    /// The folder: a path, or `s3://bucket/prefix`. It is made if need be.
    pub(crate) path: String,
    /// When a file is finished.
    #[serde(default)]
    pub(crate) roll: Roll,
    /// How files are compressed.
    #[serde(default)]
    pub(crate) compression: Compression,
    /// Whether a stream of changes is taken: each line then says what a row was and what it has become.
    #[serde(default)]
    pub(crate) changelog: bool,
    /// How the names of files begin.
    #[serde(default = "prefix")]
    pub(crate) prefix: String,
}

fn prefix() -> String {
    "part-".to_owned()
}

/// How files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, level 6: for readers that know nothing else.
    Gzip,
    /// Zstandard, level 1: smaller than gzip and several times faster.
    Zstd,
}

impl Options {
    /// Checks what the schema allows.
    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        segments::check_path(&self.path)?;
        self.roll.check()?;
        segments::check_prefix(&self.prefix)
    }

    /// The extension of files of this format.
    pub(crate) fn extension(&self, format: &str) -> String {
        let lines = if format == "json" { "jsonl" } else { format };
        match self.compression {
            Compression::None => lines.to_owned(),
            Compression::Gzip => format!("{lines}.gz"),
            Compression::Zstd => format!("{lines}.zst"),
        }
    }
}
