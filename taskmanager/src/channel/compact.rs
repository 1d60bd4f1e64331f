//! Batches that reach little of the buffers they hold are copied before they stay anywhere.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, StructArray};
use arrow::datatypes::{ByteViewType, DataType};
use arrow::record_batch::RecordBatch;

/// A copy of those view columns that reach less than half of the bytes in their buffers; the others are shared.
///
/// A `$raw` column is views into the reader's buffer of some MiB. A batch that waits in a queue with a few rows of it
/// would hold the whole, and no budget would know.
#[must_use]
pub fn compact(records: &RecordBatch) -> RecordBatch {
    compact_where(records, |reached, held| reached < held / 2)
}

/// A copy of those view columns that hold more than `1/8` beside what they reach: for what is about to be written out whole.
pub(crate) fn compact_for_wire(records: &RecordBatch) -> RecordBatch {
    compact_where(records, |reached, held| reached < held - held / 8)
}

fn compact_where(records: &RecordBatch, wasteful: impl Fn(usize, usize) -> bool + Copy) -> RecordBatch {
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (index, column) in records.columns().iter().enumerate() {
        if let Some(copy) = compact_column(column, wasteful) {
            if columns.is_empty() {
                columns = records.columns().to_vec();
            }
            columns[index] = copy;
        }
    }
    if columns.is_empty() {
        return records.clone();
    }
    RecordBatch::try_new(records.schema(), columns).expect("a compacted column has the type and length of the original")
}

/// The copy, or nothing where the column may stay as it is.
fn compact_column(column: &ArrayRef, wasteful: impl Fn(usize, usize) -> bool + Copy) -> Option<ArrayRef> {
    match column.data_type() {
        DataType::BinaryView => compact_views(column.as_binary_view(), wasteful),
        DataType::Utf8View => compact_views(column.as_string_view(), wasteful),
        DataType::Struct(_) => compact_struct(column.as_struct(), wasteful),
        _ => None,
    }
}

fn compact_views<T: ByteViewType>(
    column: &GenericByteViewArray<T>,
    wasteful: impl Fn(usize, usize) -> bool,
) -> Option<ArrayRef> {
    let held: usize = column.data_buffers().iter().map(|buffer| buffer.len()).sum();
    let reached = column.total_buffer_bytes_used();
    wasteful(reached, held).then(|| Arc::new(column.gc()) as ArrayRef)
}

fn compact_struct(column: &StructArray, wasteful: impl Fn(usize, usize) -> bool + Copy) -> Option<ArrayRef> {
    let copies: Vec<_> = column
        .columns()
        .iter()
        .map(|child| compact_column(child, wasteful))
        .collect();
    if copies.iter().all(Option::is_none) {
        return None;
    }
    let children = copies
        .into_iter()
        .zip(column.columns())
        .map(|(copy, child)| copy.unwrap_or_else(|| Arc::clone(child)));
    Some(Arc::new(StructArray::new(
        column.fields().clone(),
        children.collect(),
        column.nulls().cloned(),
    )))
}

#[cfg(test)]
mod tests {
    use arrow::array::BinaryViewArray;
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn thousand_rows() -> RecordBatch {
        let raw =
            BinaryViewArray::from_iter_values((0..1000).map(|i| format!("a record of some length, number {i:>5}")));
        let part = StructArray::new(
            vec![Field::new("inner", DataType::BinaryView, false)].into(),
            vec![Arc::new(raw.clone())],
            None,
        );
        let schema = Schema::new(vec![
            Field::new("raw", DataType::BinaryView, false),
            Field::new("part", part.data_type().clone(), false),
        ]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(raw), Arc::new(part)]).unwrap()
    }

    fn held(records: &RecordBatch) -> usize {
        let inner = records.column(1).as_struct().column(0).as_binary_view();
        let buffers = records
            .column(0)
            .as_binary_view()
            .data_buffers()
            .iter()
            .chain(inner.data_buffers());
        buffers.map(|buffer| buffer.len()).sum()
    }

    #[test]
    fn a_batch_that_reaches_little_of_its_buffers_lets_go_of_them() {
        let few = thousand_rows().slice(100, 10);
        let copy = compact(&few);
        assert_eq!(copy, few);
        assert_eq!(held(&copy), 2 * 10 * 37);
    }

    #[test]
    fn a_batch_that_reaches_most_of_its_buffers_shares_them() {
        let most = thousand_rows().slice(100, 800);
        let shared = compact(&most);
        let buffer = |records: &RecordBatch| records.column(0).as_binary_view().data_buffers()[0].as_ptr();
        assert_eq!(buffer(&shared), buffer(&most));
        assert_eq!(held(&compact_for_wire(&most)), 2 * 800 * 37);
    }
}
