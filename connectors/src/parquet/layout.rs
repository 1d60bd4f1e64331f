//! What an archive looks like on disk, word for word: agreed between the `parquet` sink and the `archive` source.
//!
//! ```text
//!   <path>/eventType=PURCHASE/date=2026-11-22/hour=13/<uuid>.parquet
//! ```
//! A file of an open stream has the columns [`RAW`], [`EVENT_TYPE`] (where partitioned by it), [`EVENT_TIME`], [`SPLIT`]
//! and [`POSITION`]; a file of a typed stream has the columns of its schema, then [`EVENT_TIME`] if they hold no such
//! column, and the source coordinates as [`SOURCE_SPLIT`] and [`SOURCE_POSITION`], which no document can name.

/// The record, byte for byte (Binary). Only in archives of open streams.
pub const RAW: &str = "raw";
/// The type of the event (string, nullable). Only in archives of open streams.
pub const EVENT_TYPE: &str = "eventType";
/// Event time, or else arrival time (Timestamp(ms, UTC)).
pub const EVENT_TIME: &str = "eventTime";
/// The source split a record of an open stream came from (string).
pub const SPLIT: &str = "split";
/// The place of a record of an open stream in its source split (UInt64).
pub const POSITION: &str = "position";
/// As [`SPLIT`], in archives of typed streams.
pub const SOURCE_SPLIT: &str = "$split";
/// As [`POSITION`], in archives of typed streams.
pub const SOURCE_POSITION: &str = "$position";

/// Footer: the datastream's name.
pub const KEY_DATASTREAM: &str = "weir.datastream";
/// Footer: the job's id.
pub const KEY_JOB: &str = "weir.job";
/// Footer: the epoch that was restored when the file was begun.
pub const KEY_EPOCH: &str = "weir.epoch";
/// Footer: JSON, `{"<split>": [<first position>, <last position>], …}` of the rows in this file.
pub const KEY_POSITIONS: &str = "weir.positions";
/// Footer: the lowest event time in the file, in milliseconds since 1970.
pub const KEY_EVENT_TIME_MIN: &str = "weir.event_time_min";
/// Footer: the highest event time in the file, in milliseconds since 1970.
pub const KEY_EVENT_TIME_MAX: &str = "weir.event_time_max";
/// Footer: `true` for an open stream (records as bytes), `false` for a typed one.
pub const KEY_OPEN: &str = "weir.open";

/// Partition folder: the day of the event, `date=2026-11-22`, UTC.
pub const PARTITION_DATE: &str = "date";
/// Partition folder: the hour of the event, `hour=13`, UTC.
pub const PARTITION_HOUR: &str = "hour";
/// A null partition value, as Hive writes it.
pub const PARTITION_NULL: &str = "__HIVE_DEFAULT_PARTITION__";
