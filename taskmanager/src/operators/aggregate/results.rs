//! The rows that an aggregate gives: keys out of their bytes, the window's bounds, the measures, in the order of the plan.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow_schema::{DataType, Schema, SchemaRef};
use dataflow::Failure;
use dataflow::element::columns;
use dataflow::expr::Path;
use dataflow::key::KeyDecoder;
use dataflow::recipe::{self, Node};

use crate::chain::columns::batch;

const WINDOW_START: &str = "window_start";
const WINDOW_END: &str = "window_end";

/// Makes rows of one schema.
pub(super) struct Results {
    output: SchemaRef,
    columns: Vec<Column>,
    keys: KeyDecoder,
}

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Key(usize),
    Start,
    End,
    Measure(usize),
    Time,
    Kind,
    Pane,
    State,
    /// Of rows that were not folded: NULL in all others.
    Value,
}

/// What is the same for all rows of a batch, and the columns that only some outputs have.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// Start and end of the window.
    pub(super) bounds: Bounds,
    /// The rows' own time.
    pub(super) time: Option<i64>,
    /// What each row is, in a stream of changes.
    pub(super) kinds: Option<ArrayRef>,
    /// Where the pane of half-folded rows begins.
    pub(super) pane: i64,
    /// What they were half-folded to.
    pub(super) states: Option<ArrayRef>,
}

/// Where the windows of some rows begin and end.
#[derive(Clone, Debug, Default)]
pub(super) enum Bounds {
    /// Nowhere.
    #[default]
    None,
    /// All are of one window.
    Same(i64, i64),
    /// Each row has its own.
    Each {
        /// The start of each.
        starts: Vec<i64>,
        /// The end of each.
        ends: Vec<i64>,
    },
}

impl Bounds {
    fn starts(&self, rows: usize) -> ArrayRef {
        match self {
            Self::None => new_null_array(&DataType::Int64, rows),
            Self::Same(start, _) => instant(*start, rows),
            Self::Each { starts, .. } => Arc::new(Int64Array::from(starts.clone())),
        }
    }

    /// The ends, so many milliseconds before.
    fn ends(&self, before: i64, rows: usize) -> ArrayRef {
        match self {
            Self::None => new_null_array(&DataType::Int64, rows),
            Self::Same(_, end) => instant(*end - before, rows),
            Self::Each { ends, .. } => Arc::new(Int64Array::from_iter_values(ends.iter().map(|end| end - before))),
        }
    }
}

fn instant(time: i64, rows: usize) -> ArrayRef {
    Arc::new(Int64Array::from_value(time, rows))
}

impl Results {
    pub(super) fn new(recipe: &recipe::Aggregate, node: &Node) -> Result<Self, Failure> {
        let types = recipe.keys.iter().map(|key| type_at(&node.input, &key.path));
        let keys = KeyDecoder::new(types.collect::<Result<_, _>>()?)
            .map_err(|error| Failure::fail(format!("`{}` has no such key", node.name)).because(&error))?;
        let columns = node.output.fields().iter().map(|field| {
            let key = recipe.keys.iter().position(|key| key.name == *field.name());
            let measure = || recipe.measures.iter().position(|measure| measure.name == *field.name());
            match field.name().as_str() {
                columns::TIME => Ok(Column::Time),
                columns::KIND => Ok(Column::Kind),
                columns::PANE => Ok(Column::Pane),
                columns::STATE => Ok(Column::State),
                name if columns::is_reserved(name) => Ok(Column::Value),
                _ if key.is_some() => Ok(Column::Key(key.unwrap_or_default())),
                WINDOW_START if recipe.window.is_some() => Ok(Column::Start),
                WINDOW_END if recipe.window.is_some() => Ok(Column::End),
                name => measure().map(Column::Measure).ok_or_else(|| {
                    Failure::bug(format!("`{}` is to give `{name}`, which it does not have", node.name))
                }),
            }
        });
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            output: Arc::clone(&node.output),
            keys,
        })
    }

    /// Rows of these keys.
    pub(super) fn rows<'a>(
        &self,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        measure: impl Fn(usize) -> Result<ArrayRef, Failure>,
        around: &Around,
    ) -> Result<RecordBatch, Failure> {
        let rows = keys.len();
        let keys = self.keys.decode(keys);
        let keys = keys.map_err(|error| Failure::fail("a key in the state cannot be read").because(&error))?;
        let fields = self.columns.iter().zip(self.output.fields());
        let made = fields.map(|(column, field)| {
            let missing = || Failure::bug(format!("`{}` is to be given and was not made", field.name()));
            let made = match column {
                Column::Key(key) => Arc::clone(&keys[*key]),
                Column::Start => around.bounds.starts(rows),
                Column::End => around.bounds.ends(0, rows),
                Column::Measure(place) => measure(*place)?,
                Column::Time => around
                    .time
                    .map_or_else(|| around.bounds.ends(1, rows), |time| instant(time, rows)),
                Column::Pane => instant(around.pane, rows),
                Column::Kind => around.kinds.clone().ok_or_else(missing)?,
                Column::State => around.states.clone().ok_or_else(missing)?,
                Column::Value => new_null_array(field.data_type(), rows),
            };
            fitted(made, field.data_type())
        });
        batch(&self.output, made.collect::<Result<_, _>>()?, rows)
    }
}

/// A result in the type of its column.
pub(super) fn fitted(made: ArrayRef, wanted: &DataType) -> Result<ArrayRef, Failure> {
    if made.data_type() == wanted {
        return Ok(made);
    }
    let wrong = |error: arrow::error::ArrowError| Failure::bug("a result that is not as planned").because(&error);
    let made = match (made.data_type(), wanted) {
        // What is text was folded as bytes.
        (DataType::BinaryView, DataType::Dictionary(_, _)) => cast(&made, &DataType::Utf8).map_err(wrong)?,
        _ => made,
    };
    cast(&made, wanted).map_err(wrong)
}

/// The type of the values at `path`.
pub(in super::super) fn type_at(schema: &Schema, path: &Path) -> Result<DataType, Failure> {
    let missing = || Failure::bug(format!("no `{path}` where the plan wants it"));
    let mut found = schema
        .column_with_name(path.column())
        .ok_or_else(missing)?
        .1
        .data_type();
    for part in &path.parts()[1..] {
        let DataType::Struct(fields) = found else {
            return Err(missing());
        };
        found = fields.find(part).ok_or_else(missing)?.1.data_type();
    }
    Ok(found.clone())
}
