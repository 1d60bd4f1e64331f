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

pub mod archive;
pub mod blackhole;
pub mod file;
pub mod format;
pub mod generator;
pub mod parquet;
mod registry;
pub mod stdout;

mod alarm;
mod columnar;
mod coordinates;
mod handoff;
mod lanes;
mod offload;
mod segments;
mod turns;

pub use registry::registry;
