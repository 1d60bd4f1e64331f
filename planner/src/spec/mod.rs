//! What a person wrote: the document as types, each value with its place.
//!
//! Enters: the text of a file and the catalog. Leaves: one [`Spec`] a document, and every mistake in it at once.
//! Who calls: [`crate::logical`] binds it, `weir validate` shows it. Must stay true: no I/O, no panic and bounded work on
//! any text; a `Spec` was checked by its components' JSON Schemas. Not here: what names and expressions mean (logical).
//! ```text
//!   text --events--> Node (tree with places) --catalog, JSON Schemas--> Spec
//! ```

mod span;
mod node;
mod syntax;
mod tree;
mod reader;
mod options;
mod document;
mod component;
mod format;
mod operation;
mod step;
mod stateful;
mod window;
mod test;
mod parse;

pub use document::{KEYS, STEPS_MAX};
pub use node::{Entry, Node, Scalar, Style, Value};
pub use operation::{Aggregate, Branch, Dedup, Delay, Measure, Operation, Projection, RateLimit, TopN};
pub use parse::{Parsed, parse};
pub use reader::{EXPRESSION_BYTES_MAX, KEY_GROUPS_MAX, NAME_LENGTH_MAX, PARALLELISM_MAX};
pub use span::{Span, Spanned, Text};
pub use test::{Act, Expected, Given, ITEMS_MAX, Letter, Order, Record, TEST_ROWS_MAX, TESTS_MAX, Test};
pub use tree::{BYTES_MAX, DEPTH_MAX, DOCUMENTS_MAX, NODES_MAX};
pub(crate) use window::milliseconds;

use std::time::Duration;

use arrow_schema::SchemaRef;
use dataflow::expr::Path;
use serde_json::Value as Json;

use crate::job::Restart;

/// One datastream, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// `datastreamName`; empty where it was missing or wrong.
    pub name: Spanned<String>,
    /// `contactName`.
    pub contact: Option<Spanned<String>>,
    /// `description`.
    pub description: Option<Spanned<String>>,
    /// `desiredState`; ON unless given.
    pub desired: DesiredState,
    /// `sources`, in order.
    pub sources: Vec<Source>,
    /// `eventTypeFilters` with `eventTypeField`.
    pub event_types: Option<EventTypes>,
    /// `steps`, in order.
    pub steps: Vec<Step>,
    /// `sinks`, in order.
    pub sinks: Vec<Sink>,
    /// `archive`.
    pub archive: Option<Archive>,
    /// `deadLetter`.
    pub dead_letter: Option<DeadLetter>,
    /// Keys that hold for the whole job.
    pub settings: Settings,
    /// `tests`, in order.
    pub tests: Vec<Test>,
    /// The whole document.
    pub span: Span,
    /// Whether a mistake was found in it: parts may be missing, and it must not be lowered.
    pub broken: bool,
}

/// Whether the datastream should run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DesiredState {
    /// Run it.
    #[default]
    On,
    /// Take a last checkpoint and keep the state.
    Off,
}

/// `eventTypeFilters`: only records of these types.
#[derive(Clone, Debug, PartialEq)]
pub struct EventTypes {
    /// Where a record's type stands; `eventType` unless `eventTypeField` says otherwise.
    pub field: Spanned<Path>,
    /// The types to keep; never empty.
    pub types: Vec<Spanned<String>>,
    /// The key `eventTypeFilters`.
    pub key: Span,
}

/// An item of `sources`.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// `name`.
    pub name: Option<Spanned<String>>,
    /// `renamedFrom`.
    pub renamed_from: Option<Spanned<String>>,
    /// The connector and its options; none where they were wrong.
    pub component: Option<Component>,
    /// `format`.
    pub format: Option<Format>,
    /// `eventTime`.
    pub event_time: Option<EventTime>,
    /// `parallelism`.
    pub parallelism: Option<Spanned<u32>>,
    /// The whole item.
    pub span: Span,
}

/// A connector and its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// The connector's key; the catalog knows it.
    pub connector: Spanned<String>,
    /// Its options, checked against its JSON Schema.
    pub options: Json,
    /// The options with their places: [`Node::at`] finds the place of a JSON pointer.
    pub node: Node,
}

/// `format:` beside a source or sink.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// The format's key; the catalog knows it.
    pub name: Spanned<String>,
    /// Its options without `schema`, checked against its JSON Schema.
    pub options: Json,
    /// The options with their places.
    pub node: Node,
    /// `schema` of its records.
    pub schema: Option<Spanned<SchemaRef>>,
}

/// `eventTime:` beside a source.
#[derive(Clone, Debug, PartialEq)]
pub struct EventTime {
    /// Where a record's event time stands.
    pub field: Spanned<Path>,
    /// How far behind the latest one an event time may be without being late; zero unless given.
    pub out_of_orderness_max: Duration,
    /// After this long without a record a split no longer holds time back.
    pub idle_timeout: Option<Duration>,
    /// A split that is so far ahead of the slowest one waits.
    pub drift_max: Option<Duration>,
}

/// An item of `steps`.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// `name`.
    pub name: Option<Spanned<String>>,
    /// `renamedFrom`.
    pub renamed_from: Option<Spanned<String>>,
    /// `input` or `inputs`; empty for the step before it. A branch of a route is `route.branch`.
    pub inputs: Vec<Spanned<String>>,
    /// `keyBy`; empty unless given.
    pub key_by: Vec<Spanned<Path>>,
    /// `parallelism`.
    pub parallelism: Option<Spanned<u32>>,
    /// What it does.
    pub operation: Operation,
    /// The step's key, such as `filter`.
    pub key: Span,
    /// The whole item.
    pub span: Span,
}

/// An item of `sinks`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sink {
    /// `name`.
    pub name: Option<Spanned<String>>,
    /// `renamedFrom`.
    pub renamed_from: Option<Spanned<String>>,
    /// `input` or `inputs`; empty for the last step (or the sources, if there is none).
    pub inputs: Vec<Spanned<String>>,
    /// `keyBy`; empty unless given.
    pub key_by: Vec<Spanned<Path>>,
    /// The connector and its options; none where they were wrong.
    pub component: Option<Component>,
    /// `format`.
    pub format: Option<Format>,
    /// `parallelism`.
    pub parallelism: Option<Spanned<u32>>,
    /// The whole item.
    pub span: Span,
}

/// `archive:`, a sink of the connector [`crate::catalog::ARCHIVE`].
#[derive(Clone, Debug, PartialEq)]
pub struct Archive {
    /// `of`: which step's rows; those that the sinks take unless given.
    pub of: Option<Spanned<String>>,
    /// The connector and its options; none where they were wrong.
    pub component: Option<Component>,
    /// `parallelism`.
    pub parallelism: Option<Spanned<u32>>,
    /// The key `archive`.
    pub key: Span,
}

/// `deadLetter:`, a sink of the connector [`crate::catalog::DEAD_LETTER`].
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The connector and its options; none where they were wrong.
    pub component: Option<Component>,
    /// The key `deadLetter`.
    pub key: Span,
}

/// Keys that hold for the whole job; none where the default holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `parallelism`.
    pub parallelism: Option<Spanned<u32>>,
    /// `maxParallelism`.
    pub max_parallelism: Option<Spanned<u32>>,
    /// `memory`, in bytes.
    pub memory: Option<Spanned<u64>>,
    /// `checkpoint.interval`.
    pub checkpoint_interval: Option<Spanned<Duration>>,
    /// `checkpoint.alignedTimeout`.
    pub aligned_timeout: Option<Spanned<Option<Duration>>>,
    /// `restart`.
    pub restart: Option<Spanned<Restart>>,
    /// `bufferTimeout`.
    pub buffer_timeout: Option<Spanned<Duration>>,
    /// `lossAlarm.above`.
    pub loss_above: Option<Spanned<f64>>,
    /// `lossAlarm.settle`.
    pub loss_settle: Option<Spanned<Duration>>,
    /// `hidden`.
    pub hidden: Vec<Spanned<Path>>,
}
