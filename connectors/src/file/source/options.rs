//! What a document may say about a source of files.

use std::time::Duration;

use dataflow::contract::InvalidOptions;
use dataflow::quantity::{ByteCount, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::location::Location;

/// Files are cut into ranges of this size, unless told otherwise.
const SPLIT_SIZE: u64 = 256 << 20;
/// Smaller ranges cost more than they bring.
const SPLIT_SIZE_MIN: u64 = 1 << 10;

/// Reads files: lines of JSON, CSV or text, or Parquet; plain or compressed; local or in an object store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    /// A file, a folder (with all folders in it), or a pattern such as `logs/**/*.json.gz`: a local path, or a URL such as
    /// `s3://bucket/folder`. In folders, names that begin with `_` or `.` are left out.
    pub path: String,
    /// What the files hold: `lines` (the `format:` beside the source says of what) or `parquet`. Without it a path that ends with
    /// `.parquet` means `parquet`.
    #[serde(default)]
    pub records: Option<Records>,
    /// How files of lines are compressed; `auto` goes by the end of the name (`.gz`, `.gzip`, `.zst`, `.zstd`).
    #[serde(default)]
    pub compression: Compression,
    /// Looks for new files again and again, so that the source never ends. Without it the files that are there at the start are read.
    /// A file may not change after it was found: move files into the folder when they are complete.
    #[serde(default)]
    pub watch: Option<Watch>,
    /// Uncompressed files of lines that are larger than this are read in ranges, by several subtasks at once. A file of a
    /// stream whose event time is asked for stays whole: its lines are in the order of their time.
    #[serde(default = "split_size")]
    pub split_size: ByteCount,
}

/// What files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Records {
    /// Text, cut into records by the `format:` beside the source.
    Lines,
    /// Parquet, which has columns of its own.
    Parquet,
}

/// How files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Compression {
    /// By the end of the name.
    #[default]
    Auto,
    /// Not at all.
    None,
    /// As `gzip` does, also several members one after another.
    Gzip,
    /// As `zstd` does, also several frames one after another.
    Zstd,
}

/// How new files are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Watch {
    /// How often; a second unless given.
    #[serde(default = "every")]
    pub every: Span,
}

fn every() -> Span {
    Span(Duration::from_secs(1))
}

fn split_size() -> ByteCount {
    ByteCount(SPLIT_SIZE)
}

impl Options {
    /// Finds what the schema allows but cannot work.
    pub(super) fn check(&self) -> Result<(), InvalidOptions> {
        Location::parse(&self.path).map_err(|message| invalid("path", message))?;
        if self.split_size.0 < SPLIT_SIZE_MIN {
            return Err(invalid("splitSize", "`splitSize` must be 1KiB or more".to_owned()));
        }
        if self
            .watch
            .is_some_and(|watch| watch.every.0 < Duration::from_millis(10))
        {
            return Err(invalid("watch/every", "`every` must be 10ms or more".to_owned()));
        }
        if self.records() == Records::Parquet && !matches!(self.compression, Compression::Auto | Compression::None) {
            return Err(invalid(
                "compression",
                "Parquet files are compressed inside: `compression` is for lines".to_owned(),
            ));
        }
        Ok(())
    }

    /// What the files hold, given or by the end of the path.
    pub(super) fn records(&self) -> Records {
        let by_name = if self.path.ends_with(".parquet") {
            Records::Parquet
        } else {
            Records::Lines
        };
        self.records.unwrap_or(by_name)
    }
}

impl Compression {
    /// That of the file `path`: never [`Compression::Auto`].
    pub(super) fn of(self, path: &str) -> Self {
        let ends = |ends: &[&str]| ends.iter().any(|end| path.to_ascii_lowercase().ends_with(end));
        match self {
            Self::Auto if ends(&[".gz", ".gzip"]) => Self::Gzip,
            Self::Auto if ends(&[".zst", ".zstd"]) => Self::Zstd,
            Self::Auto => Self::None,
            given => given,
        }
    }
}

fn invalid(pointer: &str, message: String) -> InvalidOptions {
    InvalidOptions {
        pointer: format!("/{pointer}"),
        message,
        help: None,
    }
}
