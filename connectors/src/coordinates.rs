//! Where rows come from, as columns: the reserved columns that every source of bytes yields beside the records.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, DictionaryArray, Int32Array, StringArray, TimestampMillisecondArray, UInt64Array,
    make_view,
};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::Int32Type;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use dataflow::Failure;
use dataflow::element::{BATCH_ROWS_MAX, columns};

/// The `$split` column of one split, made once and sliced for each batch.
#[derive(Clone, Debug)]
pub(crate) struct SplitLabel(DictionaryArray<Int32Type>);

impl SplitLabel {
    /// The column of the split `id`.
    pub(crate) fn new(id: &str) -> Self {
        let keys = Int32Array::from(vec![0; BATCH_ROWS_MAX]);
        let values = Arc::new(StringArray::from(vec![id]));
        Self(DictionaryArray::new(keys, values))
    }

    /// `count` rows of it, at most [`BATCH_ROWS_MAX`].
    pub(crate) fn rows(&self, count: usize) -> ArrayRef {
        Arc::new(self.0.slice(0, count))
    }
}

/// Records on their way into a batch: views into one buffer that is still being filled.
#[derive(Debug, Default)]
pub(crate) struct Records {
    views: Vec<u128>,
    positions: Vec<u64>,
}

impl Records {
    /// Room for one batch.
    pub(crate) fn new() -> Self {
        Self {
            views: Vec::with_capacity(1024),
            positions: Vec::with_capacity(1024),
        }
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.views.len()
    }

    /// Adds the record `bytes`, which begins at `offset` of the buffer that [`Records::finish`] gets.
    pub(crate) fn push(&mut self, bytes: &[u8], offset: usize, position: u64) {
        let offset = u32::try_from(offset).expect("read buffers are smaller than 4 GiB: a line is bounded");
        self.views.push(make_view(bytes, 0, offset));
        self.positions.push(position);
    }

    /// The batch of them, as `output` wants it.
    pub(crate) fn finish(
        self,
        buffer: Buffer,
        output: &SchemaRef,
        label: &SplitLabel,
        arrival: i64,
    ) -> Result<RecordBatch, Failure> {
        let count = self.views.len();
        let mut views = Some(self.views);
        let mut positions = Some(self.positions);
        columns_of(output, count, |name| match name {
            columns::RAW => {
                let views = ScalarBuffer::from(views.take().unwrap_or_default());
                let array = BinaryViewArray::try_new(views, vec![buffer.clone()], None);
                array.ok().map(|array| Arc::new(array) as ArrayRef)
            }
            columns::POSITION => Some(Arc::new(UInt64Array::from(positions.take().unwrap_or_default())) as ArrayRef),
            columns::SPLIT => Some(label.rows(count)),
            columns::TIME => Some(times(arrival, count)),
            _ => None,
        })
    }
}

/// A `$time` column of one instant.
pub(crate) fn times(instant: i64, count: usize) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_value(instant, count).with_timezone("UTC"))
}

/// A batch of `output`, column by column; a column that `make` does not know is a bug of the plan.
pub(crate) fn columns_of(
    output: &SchemaRef,
    count: usize,
    mut make: impl FnMut(&str) -> Option<ArrayRef>,
) -> Result<RecordBatch, Failure> {
    let mut arrays = Vec::with_capacity(output.fields().len());
    for field in output.fields() {
        let array = make(field.name());
        arrays.push(
            array.ok_or_else(|| Failure::bug(format!("this source cannot yield the column `{}`", field.name())))?,
        );
    }
    // The row count is given because a plan may read no column at all.
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(Arc::clone(output), arrays, &options)
        .map_err(|error| Failure::bug("a source made columns that are not of the planned schema").because(&error))
}
