//! What stands in a source's place: rows that are given, with a split and positions like real ones.

use std::sync::Arc;

use arrow::array::Int32Array;
use arrow::array::{
    ArrayRef, BinaryViewArray, DictionaryArray, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::datatypes::Int32Type;
use arrow::json::ReaderBuilder;
use arrow_schema::{Schema, SchemaRef};
use dataflow::element::{BATCH_ROWS_MAX, Batch, columns};
use dataflow::recipe::{self, Node};
use dataflow::time::WallTime;
use dataflow::{Failure, Registry};

use crate::chain::columns as rows;

/// The split that given rows are of.
const SPLIT: &str = "test";

/// The rows of one source.
pub(super) struct Given {
    output: SchemaRef,
    given: u64,
}

impl Given {
    pub(super) fn new(recipe: &recipe::Source, node: &Node, registry: &Registry) -> Result<Self, Failure> {
        if let Some(format) = &recipe.format
            && registry.format(&format.name).is_none()
        {
            return Err(Failure::fail(format!("this build has no format `{}`", format.name)));
        }
        Ok(Self {
            output: Arc::clone(&node.output),
            given: 0,
        })
    }

    /// The next rows, each as its record's text; none of none.
    pub(super) fn batch(&mut self, records: &[String], arrival: WallTime) -> Result<Option<Batch>, Failure> {
        if records.is_empty() {
            return Ok(None);
        }
        if records.len() > BATCH_ROWS_MAX {
            return Err(Failure::fail(format!(
                "{} rows at once; at most {BATCH_ROWS_MAX}",
                records.len()
            )));
        }
        let count = records.len();
        let typed = self.typed(records)?;
        let column = |field: &arrow_schema::FieldRef| -> Result<ArrayRef, Failure> {
            Ok(match field.name().as_str() {
                columns::RAW => Arc::new(BinaryViewArray::from_iter_values(records)),
                columns::SPLIT => {
                    let ids = Arc::new(StringArray::from(vec![SPLIT]));
                    let keys = Int32Array::from_value(0, count);
                    let splits = DictionaryArray::<Int32Type>::try_new(keys, ids);
                    Arc::new(splits.map_err(|error| Failure::bug("a dictionary of one value").because(&error))?)
                }
                columns::POSITION => Arc::new(UInt64Array::from_iter_values((self.given..).take(count))),
                columns::TIME => Arc::new(TimestampMillisecondArray::from_value(arrival.0, count).with_timezone("UTC")),
                name => {
                    let found = typed
                        .as_ref()
                        .and_then(|typed| typed.column_by_name(name))
                        .map(Arc::clone);
                    found.ok_or_else(|| Failure::bug(format!("no column `{name}` where the plan wants it")))?
                }
            })
        };
        let made = self.output.fields().iter().map(column).collect::<Result<_, _>>()?;
        self.given += count as u64;
        Ok(Some(Batch::new(rows::batch(&self.output, made, count)?)))
    }

    /// The columns of the document, of a source that yields columns.
    fn typed(&self, records: &[String]) -> Result<Option<RecordBatch>, Failure> {
        let fields: Vec<_> = self
            .output
            .fields()
            .iter()
            .filter(|field| !columns::is_reserved(field.name()))
            .cloned()
            .collect();
        if fields.is_empty() {
            return Ok(None);
        }
        let text = records.join("\n");
        let reader = ReaderBuilder::new(Arc::new(Schema::new(fields)))
            .with_batch_size(BATCH_ROWS_MAX)
            .build(text.as_bytes());
        let wrong = |error: arrow::error::ArrowError| Failure::fail("given rows do not fit the source").because(&error);
        let mut batches = reader.map_err(wrong)?;
        batches.next().transpose().map_err(wrong)
    }
}
