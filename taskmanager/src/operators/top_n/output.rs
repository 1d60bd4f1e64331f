//! The rows that are given: their columns out of their bytes, and what is known of them here, in the order of the plan.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::compute::cast;
use arrow_schema::{Schema, SchemaRef};
use dataflow::Failure;
use dataflow::element::columns;
use dataflow::recipe::{self, Emission, Node};

use super::super::row::{Layouts, Rows};
use super::lists::{Entry, Lists};
use crate::chain::columns::batch;

const WINDOW_START: &str = "window_start";
/// Where rows of a windowed aggregate say which window they are of.
pub(super) const WINDOW_END: &str = "window_end";

/// Makes rows of one schema.
pub(super) struct Output {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: Arc<Rows>,
}

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    /// What is kept of the row, by its place there.
    Row(usize),
    Rank,
    Kind,
    Start,
    End,
    Time,
}

/// A row to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// Its bytes.
    pub(super) entry: Entry,
    /// Its place, from 1.
    pub(super) rank: i64,
    /// What it is in a stream of changes.
    pub(super) kind: i8,
}

/// Start and end of the window that rows are of; the start is known only where windows are made here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Output {
    pub(super) fn new(recipe: &recipe::TopN, node: &Node, earlier: Vec<Layouts>) -> Result<Self, Failure> {
        let windowed = recipe.emission == Emission::Window;
        let mut kept = Vec::new();
        let fields = node.output.fields().iter().map(|field| match field.name().as_str() {
            name if Some(name) == recipe.rank.as_deref() => Column::Rank,
            columns::KIND if !windowed => Column::Kind,
            columns::TIME if windowed => Column::Time,
            WINDOW_START if recipe.window.is_some() => Column::Start,
            WINDOW_END if recipe.window.is_some() => Column::End,
            _ => {
                kept.push(Arc::clone(field));
                Column::Row(kept.len() - 1)
            }
        });
        Ok(Self {
            columns: fields.collect(),
            schema: Arc::clone(&node.output),
            rows: Arc::new(Rows::new(&Arc::new(Schema::new(kept)), earlier)?),
        })
    }

    /// How rows are kept.
    pub(super) fn rows(&self) -> &Arc<Rows> {
        &self.rows
    }

    /// The rows of `given`.
    pub(super) fn make(&self, lists: &Lists, given: &[Given], bounds: Bounds) -> Result<RecordBatch, Failure> {
        let bytes = given.iter().map(|given| lists.row(&given.entry));
        let kept = self.rows.columns(self.rows.fingerprint(), bytes)?;
        let instant = |time: i64| -> ArrayRef {
            Arc::new(TimestampMillisecondArray::from_value(time, given.len()).with_timezone("UTC"))
        };
        let made = self.columns.iter().zip(self.schema.fields()).map(|(column, field)| {
            let made: ArrayRef = match column {
                Column::Row(place) => return Ok(Arc::clone(&kept[*place])),
                Column::Rank => Arc::new(Int64Array::from_iter_values(given.iter().map(|given| given.rank))),
                Column::Kind => Arc::new(Int8Array::from_iter_values(given.iter().map(|given| given.kind))),
                Column::Start => instant(bounds.start),
                Column::End => instant(bounds.end),
                Column::Time => instant(bounds.end.saturating_sub(1)),
            };
            cast(&made, field.data_type())
                .map_err(|error| Failure::bug(format!("`{}` is not as planned", field.name())).because(&error))
        });
        batch(&self.schema, made.collect::<Result<_, _>>()?, given.len())
    }
}
