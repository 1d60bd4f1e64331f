//! Where streams begin and end: one folder for each connector and format, and one list of them.
//!
//! | connector | source | sink | guarantee of the sink |
//! | --- | --- | --- | --- |
//! | `generator` | events that look real, from a seed | | |
//! | `file` | lines, CSV and Parquet; local or in an object store | lines | exactly once |
//! | `archive` | what `archive:` or `parquet` wrote, by event time | | |
//! | `parquet` | | the archive | exactly once |
//! | `stdout` | | lines on the terminal | at least once |
//! | `blackhole` | | counts | exactly once |
//!
//! This crate knows the contracts of `dataflow` and the world outside; it knows no plans, no tasks and no wire.

mod alarm;
mod coordinates;
pub mod format;
pub mod generator;
mod handoff;
pub mod blackhole;
mod offload;
pub mod parquet;
mod segments;
pub mod stdout;
