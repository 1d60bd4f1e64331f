//! What stands in a source's place: rows that are given, with splits and positions like real ones.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, DictionaryArray, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray,
    UInt64Array,
};
use arrow::datatypes::Int32Type;
use arrow::json::ReaderBuilder;
use arrow_schema::{FieldRef, Schema, SchemaRef};
use dataflow::Failure;
use dataflow::contract::{
    Connector, Description, Enumerator, EnumeratorContext, InvalidOptions, Polled, Progress, Reader, ReaderContext,
    Shape, SourceConnector, Split,
};
use dataflow::element::{BATCH_ROWS_MAX, columns};
use dataflow::time::Clock;
use parking_lot::Mutex;
use serde_json::Value;

use crate::chain::columns as rows;

/// The connector's name, which no document can write.
pub(super) const NAME: &str = "$given";

/// The rows of one source that wait, by subtask. Bounded by the document that they stand in.
#[derive(Clone, Debug, Default)]
pub(super) struct Given(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    rows: BTreeMap<usize, VecDeque<Vec<u8>>>,
    ended: bool,
}

impl Given {
    /// One more row for a subtask.
    pub(super) fn push(&self, subtask: usize, record: Vec<u8>) {
        self.0.lock().rows.entry(subtask).or_default().push_back(record);
    }

    /// No more rows.
    pub(super) fn end(&self) {
        self.0.lock().ended = true;
    }

    fn next(&self, subtask: usize) -> Next {
        let mut waiting = self.0.lock();
        let ended = waiting.ended;
        match waiting.rows.get_mut(&subtask).filter(|rows| !rows.is_empty()) {
            Some(rows) => Next::Rows(rows.drain(..rows.len().min(BATCH_ROWS_MAX)).collect()),
            None if ended => Next::End,
            None => Next::Nothing,
        }
    }
}

enum Next {
    Rows(Vec<Vec<u8>>),
    Nothing,
    End,
}

/// The split of a subtask.
pub(super) fn split(subtask: usize) -> Split {
    Split {
        id: format!("test-{subtask}"),
        spec: Value::Null,
        position: Value::Null,
    }
}

/// The connector of these sources, which are its options.
pub(super) fn connector(sources: &BTreeMap<String, Given>) -> Arc<dyn Connector> {
    Arc::new(StandIn(sources.clone()))
}

struct StandIn(BTreeMap<String, Given>);

impl Connector for StandIn {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> Description {
        Description {
            summary: "Gives the rows of a test.",
            guarantee: None,
            examples: &[],
        }
    }

    fn source(&self) -> Option<&dyn SourceConnector> {
        Some(self)
    }
}

impl SourceConnector for StandIn {
    fn schema(&self) -> Value {
        Value::Bool(true)
    }

    fn plan(&self, _: &Value) -> Result<Shape, InvalidOptions> {
        Ok(Shape::Discovered)
    }

    fn enumerator(&self, _: &Value, _: EnumeratorContext, _: Option<Value>) -> Result<Box<dyn Enumerator>, Failure> {
        Err(Failure::bug("the splits of a rehearsal are found by nobody"))
    }

    fn reader(&self, options: &Value, context: ReaderContext) -> Result<Box<dyn Reader>, Failure> {
        let given = options.as_str().and_then(|name| self.0.get(name)).cloned();
        Ok(Box::new(GivenReader {
            given: given.ok_or_else(|| Failure::bug(format!("nobody gives the rows of {options}")))?,
            subtask: context.subtask.0 as usize,
            output: context.output,
            clock: context.clock,
            split: None,
            position: 0,
        }))
    }
}

/// The reader of one subtask.
struct GivenReader {
    given: Given,
    subtask: usize,
    output: SchemaRef,
    clock: Arc<dyn Clock>,
    split: Option<Split>,
    position: u64,
}

impl Reader for GivenReader {
    fn assign(&mut self, splits: Vec<Split>) -> Result<(), Failure> {
        self.split = splits.into_iter().next();
        Ok(())
    }

    /// The end of a rehearsal says it.
    fn no_more_splits(&mut self) {}

    fn poll(&mut self) -> Result<Polled, Failure> {
        let Some(split) = self.split.as_ref().map(|split| split.id.clone()) else {
            return Ok(if matches!(self.given.next(self.subtask), Next::End) {
                Polled::End
            } else {
                Polled::Wait
            });
        };
        match self.given.next(self.subtask) {
            Next::Rows(records) => self.batch(&split, &records).map(Polled::Batch),
            Next::Nothing => Ok(Polled::Wait),
            Next::End => {
                self.split = None;
                Ok(Polled::Finished(split))
            }
        }
    }

    fn snapshot(&self) -> Vec<Split> {
        self.split.iter().cloned().collect()
    }

    fn progress(&self) -> Progress {
        Progress::default()
    }
}

impl GivenReader {
    fn batch(&mut self, split: &str, records: &[Vec<u8>]) -> Result<RecordBatch, Failure> {
        let count = records.len();
        let arrival = self.clock.wall();
        let typed = self.typed(records)?;
        let column = |field: &FieldRef| -> Result<ArrayRef, Failure> {
            Ok(match field.name().as_str() {
                columns::RAW => Arc::new(BinaryViewArray::from_iter_values(records)),
                columns::SPLIT => {
                    let ids = Arc::new(StringArray::from(vec![split]));
                    let splits = DictionaryArray::<Int32Type>::try_new(Int32Array::from_value(0, count), ids);
                    Arc::new(splits.map_err(|error| Failure::bug("a dictionary of one value").because(&error))?)
                }
                columns::POSITION => Arc::new(UInt64Array::from_iter_values((self.position..).take(count))),
                columns::TIME => Arc::new(TimestampMillisecondArray::from_value(arrival.0, count).with_timezone("UTC")),
                name => {
                    let found = typed.as_ref().and_then(|typed| typed.column_by_name(name));
                    let missing = || Failure::bug(format!("no column `{name}` where the plan wants it"));
                    Arc::clone(found.ok_or_else(missing)?)
                }
            })
        };
        let made = self.output.fields().iter().map(column).collect::<Result<_, _>>()?;
        self.position += count as u64;
        rows::batch(&self.output, made, count)
    }

    /// The columns of the document, of a source that yields columns.
    fn typed(&self, records: &[Vec<u8>]) -> Result<Option<RecordBatch>, Failure> {
        let user = self
            .output
            .fields()
            .iter()
            .filter(|field| !columns::is_reserved(field.name()))
            .cloned();
        let schema = Arc::new(Schema::new(user.collect::<Vec<_>>()));
        if schema.fields().is_empty() {
            return Ok(None);
        }
        if let Ok(all) = decode(&schema, records) {
            return Ok(Some(all));
        }
        // One of them stands in the way of all.
        for record in records {
            if let Err(error) = decode(&schema, std::slice::from_ref(record)) {
                let shown = String::from_utf8_lossy(record);
                return Err(
                    Failure::fail(format!("the row {shown} does not fit the columns of its source")).because(&error),
                );
            }
        }
        Err(Failure::bug("rows that fit their columns one by one, and not together"))
    }
}

fn decode(schema: &SchemaRef, records: &[Vec<u8>]) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let text = records.join(&b'\n');
    let reader = ReaderBuilder::new(Arc::clone(schema))
        .with_batch_size(BATCH_ROWS_MAX)
        .build(text.as_slice())?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let all = arrow::compute::concat_batches(schema, &batches)?;
    if all.num_rows() == records.len() {
        return Ok(all);
    }
    let message = format!("{} rows in place of {}", all.num_rows(), records.len());
    Err(arrow_schema::ArrowError::JsonError(message))
}
