//! A batch is looked at: which of its rows are wanted, and how people read them. Pure.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Int8Type, TimestampMillisecondType};
use arrow_schema::{Schema, SchemaRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dataflow::contract::{BadRecord, Decoder, Encoder, Lines};
use dataflow::element::columns;
use dataflow::expr::{Evaluator, Expression, FailedRow};
use dataflow::hidden::MASK;
use dataflow::{Failure, Hidden, Registry, recipe};
use serde::de::IgnoredAny;
use serde_json::json;

use super::Counts;
use crate::chain::columns::batch;

/// How a row of columns is written: as the sinks of that format would.
const SHOWN_AS: &str = "json";

/// Which rows are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// For which this is true.
    pub(crate) expression: Expression,
    /// What it reads of records that are carried as bytes, and how they are read.
    pub(crate) open: Option<(SchemaRef, recipe::Format)>,
}

/// One row, as people read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) event_time_ms: Option<i64>,
    /// What it is of a change.
    pub(crate) kind: i8,
    /// The row as JSON; empty where it is not.
    pub(crate) json: String,
    /// The text of one that is not JSON, or the beginning of one that is too long.
    pub(crate) text: String,
    /// One that is not text, in base64.
    pub(crate) base64: String,
    /// How long all of it is.
    pub(crate) bytes: u64,
    pub(crate) cut: bool,
}

/// What looks at the batches of one step.
pub(super) struct Look {
    registry: Registry,
    condition: Option<Condition>,
    hidden: Arc<Hidden>,
    row_bytes_max: usize,
    /// What was made for the schema of the last batch.
    made: Option<Made>,
    /// Why the condition could not be computed, the first time.
    pub(super) failure: Option<String>,
}

/// For batches of one schema.
struct Made {
    schema: SchemaRef,
    judge: Judge,
    /// The columns of the document, and what writes them; none where records are bytes.
    written: Option<(Vec<usize>, Box<dyn Encoder>)>,
}

/// Says which rows are wanted.
enum Judge {
    All,
    Columns(Evaluator),
    Bytes(Box<dyn Decoder>, SchemaRef, Evaluator),
}

impl Look {
    pub(super) fn new(
        registry: Registry,
        condition: Option<Condition>,
        (hidden, row_bytes_max): (Arc<Hidden>, usize),
    ) -> Self {
        Self {
            registry,
            condition,
            hidden,
            row_bytes_max,
            made: None,
            failure: None,
        }
    }

    /// At most `most` of the rows that are wanted; what was looked at is added to `counts`.
    pub(super) fn at(&mut self, rows: &RecordBatch, most: usize, counts: &mut Counts) -> Result<Vec<Row>, Failure> {
        let schema = rows.schema();
        let fits = self.made.as_ref().is_some_and(|made| made.schema == schema);
        if !fits {
            self.made = Some(self.make(&schema)?);
        }
        let Some(made) = &mut self.made else {
            return Ok(Vec::new());
        };
        let (wanted, failed) = made.judge.wanted(rows)?;
        counts.looked_at += rows.num_rows() as u64;
        counts.matched += wanted.len() as u64;
        counts.failed += failed.len() as u64;
        if let Some(first) = failed.first().filter(|_| self.failure.is_none()) {
            self.failure = Some(self.hidden.scrub(&first.error, b""));
        }
        let picked = UInt32Array::from_iter_values(spread(&wanted, most));
        let rows = take_record_batch(rows, &picked)
            .map_err(|error| Failure::bug("rows that cannot be picked").because(&error))?;
        let texts = texts(&rows, made)?;
        let (times, kinds) = (column(&rows, columns::TIME), column(&rows, columns::KIND));
        let row = |(index, bytes): (usize, Vec<u8>)| {
            let time = times.and_then(|times| times.as_primitive_opt::<TimestampMillisecondType>());
            let kind = kinds.and_then(|kinds| kinds.as_primitive_opt::<Int8Type>());
            Row {
                event_time_ms: time
                    .filter(|times| times.is_valid(index))
                    .map(|times| times.value(index)),
                kind: kind.map_or(columns::INSERT, |kinds| kinds.value(index)),
                ..shown(bytes, &self.hidden, self.row_bytes_max)
            }
        };
        Ok(texts.into_iter().enumerate().map(row).collect())
    }

    fn make(&self, schema: &SchemaRef) -> Result<Made, Failure> {
        let judge = match &self.condition {
            None => Judge::All,
            Some(Condition { expression, open: None }) => Judge::Columns(compile(expression, schema)?),
            Some(Condition {
                expression,
                open: Some((fields, format)),
            }) => {
                let name = &format.name;
                let found = self.registry.format(name);
                let found = found.ok_or_else(|| Failure::fail(format!("this build has no format `{name}`")))?;
                let decoder = found.decoder(&format.options, Arc::clone(fields));
                let decoder = decoder.map_err(|invalid| Failure::fail(invalid.message))?;
                Judge::Bytes(decoder, Arc::clone(fields), compile(expression, fields)?)
            }
        };
        let written = match schema.index_of(columns::RAW) {
            Ok(_) => None,
            Err(_) => Some(self.writer(schema)?),
        };
        Ok(Made {
            schema: Arc::clone(schema),
            judge,
            written,
        })
    }

    fn writer(&self, schema: &SchemaRef) -> Result<(Vec<usize>, Box<dyn Encoder>), Failure> {
        let user: Vec<usize> = (0..schema.fields().len())
            .filter(|index| !columns::is_reserved(schema.field(*index).name()))
            .collect();
        let fields: Vec<_> = user.iter().map(|index| schema.field(*index).clone()).collect();
        let format = self.registry.format(SHOWN_AS);
        let format = format.ok_or_else(|| Failure::fail("this build has no format that rows could be shown in"))?;
        let encoder = format.encoder(&json!({}), Arc::new(Schema::new(fields)));
        let encoder = encoder.map_err(|invalid| Failure::fail(invalid.message))?;
        Ok((user, encoder))
    }
}

fn compile(expression: &Expression, schema: &SchemaRef) -> Result<Evaluator, Failure> {
    Evaluator::compile(expression, schema)
        .map_err(|error| Failure::fail("the condition does not fit the rows").because(&error))
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    rows.column_by_name(name)
}

/// At most `most` of these, from all over them.
fn spread(wanted: &[u32], most: usize) -> impl Iterator<Item = u32> {
    let step = wanted.len().div_ceil(most.max(1)).max(1);
    wanted.iter().copied().step_by(step).take(most)
}

impl Judge {
    /// The rows for which the condition is true, and those that it cannot be computed for.
    fn wanted(&mut self, rows: &RecordBatch) -> Result<(Vec<u32>, Vec<FailedRow>), Failure> {
        let (evaluated, bad) = match self {
            Self::All => return Ok(((0..).take(rows.num_rows()).collect(), Vec::new())),
            Self::Columns(evaluator) => (evaluator.evaluate_rows(rows), Vec::new()),
            Self::Bytes(decoder, fields, evaluator) => {
                let decoded = decoder.decode(raw(rows)?);
                let read = batch(fields, decoded.columns, rows.num_rows())?;
                (evaluator.evaluate_rows(&read), decoded.bad)
            }
        };
        let values = evaluated.values.as_boolean_opt();
        let values = values.ok_or_else(|| Failure::fail("the condition is neither true nor false"))?;
        let is_bad = |row: usize| bad.binary_search_by_key(&row, |bad| bad.row).is_ok();
        let is_wanted = |row: &usize| values.is_valid(*row) && values.value(*row) && !is_bad(*row);
        let wanted = (0..values.len()).filter(is_wanted);
        let wanted = wanted.filter_map(|row| u32::try_from(row).ok()).collect();
        let bad = bad.into_iter().map(|BadRecord { row, error }| FailedRow { row, error });
        Ok((wanted, bad.chain(evaluated.failed).collect()))
    }
}

fn raw(rows: &RecordBatch) -> Result<&BinaryViewArray, Failure> {
    column(rows, columns::RAW)
        .and_then(|column| column.as_binary_view_opt())
        .ok_or_else(|| Failure::bug("records that are not bytes are to be read as such"))
}

/// The bytes of each row: as it came, or as a sink would write it.
fn texts(rows: &RecordBatch, made: &mut Made) -> Result<Vec<Vec<u8>>, Failure> {
    let Some((user, encoder)) = &mut made.written else {
        let records = raw(rows)?.iter();
        return Ok(records.map(|record| record.unwrap_or_default().to_vec()).collect());
    };
    let rows = rows
        .project(user)
        .map_err(|error| Failure::bug("columns that cannot be picked").because(&error))?;
    let line = |index| {
        let mut line = Lines::default();
        let bad = encoder.encode(&rows.slice(index, 1), &mut line);
        match bad.first() {
            None => line.bytes().trim_ascii_end().to_vec(),
            Some(bad) => format!("(a row that JSON cannot show: {})", bad.error).into_bytes(),
        }
    };
    Ok((0..rows.num_rows()).map(line).collect())
}

/// What is shown of the bytes of a row.
fn shown(bytes: Vec<u8>, hidden: &Hidden, most: usize) -> Row {
    let whole = Row {
        bytes: bytes.len() as u64,
        ..Row::default()
    };
    let is_json = serde_json::from_slice::<IgnoredAny>(&bytes).is_ok();
    let text = match (hidden.is_empty(), is_json) {
        (true, true) => String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes),
        (true, false) => Err(bytes),
        // Where nobody knows what is hidden in it, all of it is.
        (false, _) => hidden.mask(&bytes).ok_or_else(|| MASK.as_bytes().to_vec()),
    };
    match text {
        Ok(json) if json.len() <= most => Row { json, ..whole },
        Ok(mut text) => {
            text.truncate(text.floor_char_boundary(most));
            Row {
                text,
                cut: true,
                ..whole
            }
        }
        Err(mut bytes) => {
            let cut = bytes.len() > most;
            bytes.truncate(most);
            match String::from_utf8(bytes) {
                Ok(text) => Row { text, cut, ..whole },
                Err(bytes) => Row {
                    base64: STANDARD.encode(bytes.as_bytes()),
                    cut,
                    ..whole
                },
            }
        }
    }
}

impl Row {
    /// What it weighs on its way.
    pub(super) fn weight(&self) -> usize {
        self.json.len() + self.text.len() + self.base64.len()
    }
}
