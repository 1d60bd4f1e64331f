//! How many bytes of row data a batch reaches: what credit, budgets and rolling are counted in.

use arrow::array::{Array, AsArray, BinaryViewArray, StringViewArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

/// Bytes that the rows of `records` reach, without the parts of shared buffers that belong to other rows.
///
/// Arrow's own memory size counts a shared buffer whole for every slice of it, which would charge
/// one 4 MiB read buffer to each of the batches cut from it.
#[must_use]
pub fn row_bytes(records: &RecordBatch) -> usize {
    records
        .columns()
        .iter()
        .map(|column| column_bytes(column.as_ref()))
        .sum()
}

fn column_bytes(column: &dyn Array) -> usize {
    match column.data_type() {
        DataType::BinaryView => view_bytes(column.as_binary_view()),
        DataType::Utf8View => string_view_bytes(column.as_string_view()),
        DataType::Dictionary(_, _) => column.len() * size_of::<i32>(),
        DataType::Struct(_) => column
            .as_struct()
            .columns()
            .iter()
            .map(|child| column_bytes(child.as_ref()))
            .sum(),
        _ => column
            .to_data()
            .get_slice_memory_size()
            .unwrap_or_else(|_| column.get_array_memory_size()),
    }
}

/// The low 32 bits of a view are its length.
fn lengths(views: &[u128]) -> usize {
    views.iter().map(|view| (view & 0xffff_ffff) as usize).sum()
}

fn view_bytes(column: &BinaryViewArray) -> usize {
    size_of_val(&column.views()[..]) + lengths(column.views())
}

fn string_view_bytes(column: &StringViewArray) -> usize {
    size_of_val(&column.views()[..]) + lengths(column.views())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryViewArray, Int64Array};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    #[test]
    fn a_slice_weighs_its_own_rows_only() {
        let raw =
            BinaryViewArray::from_iter_values((0..1000).map(|i| format!("a record of some length, number {i:>5}")));
        let number = Int64Array::from_iter_values(0..1000);
        let schema = Schema::new(vec![
            Field::new("raw", DataType::BinaryView, false),
            Field::new("n", DataType::Int64, false),
        ]);
        let records = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(raw), Arc::new(number)]).unwrap();
        assert_eq!(row_bytes(&records), 1000 * (16 + 37 + 8));
        assert_eq!(row_bytes(&records.slice(10, 100)), 100 * (16 + 37 + 8));
    }
}
