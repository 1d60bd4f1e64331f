//! What a document says of a Parquet sink, and of `archive:`.

use dataflow::contract::InvalidOptions;
use dataflow::expr::Path;
use dataflow::quantity::ByteCount;
use parquet::basic::{Compression as Codec, ZstdLevel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout;
use crate::segments::{self, Roll};

/// Writes Parquet files under folders named by partition, local or in a bucket; a file becomes visible when it is finished and committed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Options {
    /// The folder: a path, or `s3://bucket/prefix`. It is made if need be.
    pub(crate) path: String,
    /// What the folders below are named by, outermost first: fields of the record, and `date` and `hour` of its event time (UTC).
    /// `[eventType, date, hour]` unless given, without `eventType` where the records have no such field.
    #[serde(default)]
    pub(crate) partition_by: Option<Vec<String>>,
    /// When a file is finished.
    #[serde(default)]
    pub(crate) roll: Roll,
    /// How columns are compressed.
    #[serde(default)]
    pub(crate) compression: Compression,
    /// The level of `zstd`: 1 is fast, 22 is small.
    #[serde(default = "level")]
    #[schemars(range(min = 1, max = 22))]
    pub(crate) compression_level: i32,
    /// The size of a row group in memory; readers skip whole row groups, and need one in memory at a time.
    #[serde(default = "row_group")]
    pub(crate) row_group: ByteCount,
    /// How the names of files begin.
    #[serde(default = "prefix")]
    pub(crate) prefix: String,
}

fn level() -> i32 {
    1
}

fn row_group() -> ByteCount {
    ByteCount(32 << 20)
}

fn prefix() -> String {
    "part-".to_owned()
}

/// How columns are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Compression {
    /// Zstandard.
    #[default]
    Zstd,
    /// Snappy: for readers that know nothing else.
    Snappy,
    /// Not at all.
    None,
}

/// At most so many partition columns.
const PARTITIONS_MAX: usize = 8;

/// A row group is held in memory while it is written.
const ROW_GROUP_MIN: u64 = 64 << 10;
const ROW_GROUP_MAX: u64 = 256 << 20;

impl Options {
    /// Checks what the schema allows.
    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        let invalid = |pointer: &str, message: String, help: &str| {
            Err(InvalidOptions {
                pointer: pointer.to_owned(),
                message,
                help: Some(help.to_owned()),
            })
        };
        segments::check_path(&self.path)?;
        segments::check_prefix(&self.prefix)?;
        self.roll.check()?;
        if !(ROW_GROUP_MIN..=ROW_GROUP_MAX).contains(&self.row_group.0) {
            return invalid(
                "/rowGroup",
                "a row group has between 64KiB and 256MiB".to_owned(),
                "`32MiB` is a good size for most readers",
            );
        }
        if ZstdLevel::try_new(self.compression_level).is_err() {
            return invalid(
                "/compressionLevel",
                "the level is between 1 and 22".to_owned(),
                "1 is fast, 22 is small",
            );
        }
        let Some(names) = &self.partition_by else { return Ok(()) };
        if names.len() > PARTITIONS_MAX {
            return invalid(
                "/partitionBy",
                format!("at most {PARTITIONS_MAX} partition columns are possible"),
                "leave some out: each one multiplies the number of files",
            );
        }
        for (index, name) in names.iter().enumerate() {
            if let Err(error) = name.parse::<Path>() {
                return invalid(
                    &format!("/partitionBy/{index}"),
                    error.to_string(),
                    "write a field of the record, `date` or `hour`",
                );
            }
            if names[..index].contains(name) {
                return invalid(
                    &format!("/partitionBy/{index}"),
                    format!("`{name}` is there twice"),
                    "leave one of them out",
                );
            }
        }
        Ok(())
    }

    /// The partition columns; `has_event_type` says whether the default may have it.
    pub(crate) fn partitions(&self, has_event_type: impl FnOnce() -> bool) -> Vec<String> {
        if let Some(names) = &self.partition_by {
            return names.clone();
        }
        let event_type = has_event_type().then_some(layout::EVENT_TYPE);
        event_type
            .into_iter()
            .chain([layout::PARTITION_DATE, layout::PARTITION_HOUR])
            .map(str::to_owned)
            .collect()
    }

    /// The codec of all columns.
    pub(crate) fn codec(&self) -> Codec {
        match self.compression {
            Compression::Zstd => Codec::ZSTD(ZstdLevel::try_new(self.compression_level).unwrap_or_default()),
            Compression::Snappy => Codec::SNAPPY,
            Compression::None => Codec::UNCOMPRESSED,
        }
    }
}
