//! The bytes that rows are ordered by: smaller is better, whatever the directions.
//!
//! A column's part is its canonical key bytes, all bits flipped where large values are better; NULL is `ff`, which is behind
//! every value in either direction. No canonical value is the beginning of another, so the parts of several columns one
//! behind another compare as the columns do, one after another.

use arrow::array::RecordBatch;
use arrow_schema::Schema;
use dataflow::Failure;
use dataflow::key::{KeyError, KeyReader, Keys};
use dataflow::recipe::{Direction, Order};

/// A NULL as keys are written.
const KEY_NULL: [u8; 1] = [0];
/// A NULL as it is ordered.
const WORST: u8 = 0xff;

/// Reads what rows are ordered by.
pub(super) struct Sorter(Vec<(KeyReader, Direction)>);

/// The order of the rows of a batch.
#[derive(Debug, Default)]
pub(super) struct SortKeys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Sorter {
    pub(super) fn new(schema: &Schema, order: &[Order]) -> Result<Self, KeyError> {
        let reader = |order: &Order| {
            let reader = KeyReader::new(schema, std::slice::from_ref(&order.path))?;
            Ok((reader, order.direction))
        };
        order.iter().map(reader).collect::<Result<_, _>>().map(Self)
    }

    /// The order of all rows, column by column.
    pub(super) fn read(&self, records: &RecordBatch) -> Result<SortKeys, Failure> {
        let read = |(reader, direction): &(KeyReader, Direction)| Ok((reader.encode(records)?, *direction));
        let columns: Result<Vec<(Keys, Direction)>, KeyError> = self.0.iter().map(read).collect();
        let columns = columns.map_err(|error| Failure::bug("rows that cannot be ordered").because(&error))?;
        let mut sorts = SortKeys::default();
        sorts.ends.reserve(records.num_rows());
        for row in 0..records.num_rows() {
            for (keys, direction) in &columns {
                part(keys.row(row), *direction, &mut sorts.bytes);
            }
            sorts.ends.push(sorts.bytes.len());
        }
        Ok(sorts)
    }
}

fn part(value: &[u8], direction: Direction, out: &mut Vec<u8>) {
    match direction {
        _ if value == KEY_NULL => out.push(WORST),
        Direction::Ascending => out.extend_from_slice(value),
        Direction::Descending => out.extend(value.iter().map(|byte| !byte)),
    }
}

impl SortKeys {
    /// What a row is ordered by.
    pub(super) fn row(&self, row: usize) -> &[u8] {
        let begin = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[begin..self.ends[row]]
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringViewArray};
    use arrow_schema::{DataType, Field};
    use proptest::prelude::*;

    use super::*;

    type Row = (Option<i64>, Option<String>, Option<f64>);

    fn by<T>(one: Option<T>, other: Option<T>, direction: Direction, compare: impl Fn(&T, &T) -> Ordering) -> Ordering {
        match (one, other) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(other)) => match direction {
                Direction::Ascending => compare(&one, &other),
                Direction::Descending => compare(&other, &one),
            },
        }
    }

    fn direction() -> impl Strategy<Value = Direction> {
        prop::sample::select(vec![Direction::Ascending, Direction::Descending])
    }

    proptest! {
        #[test]
        fn bytes_compare_as_the_columns_do(
            rows in prop::collection::vec((prop::option::of(-3..3_i64), prop::option::of("[\\x00ab]{0,3}"), prop::option::of(-2.0..2.0_f64)), 2..12),
            directions in (direction(), direction(), direction()),
        ) {
            let rows: Vec<Row> = rows;
            let schema = Arc::new(Schema::new(vec![
                Field::new("n", DataType::Int64, true),
                Field::new("t", DataType::Utf8View, true),
                Field::new("f", DataType::Float64, true),
            ]));
            let records = RecordBatch::try_new(Arc::clone(&schema), vec![
                Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.0))),
                Arc::new(StringViewArray::from_iter(rows.iter().map(|row| row.1.clone()))),
                Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.2))),
            ]).unwrap();
            let order = [("n", directions.0), ("t", directions.1), ("f", directions.2)];
            let order = order.map(|(path, direction)| Order { path: path.parse().unwrap(), direction });
            let sorts = Sorter::new(&schema, &order).unwrap().read(&records).unwrap();
            for (place, one) in rows.iter().enumerate() {
                for (other_place, other) in rows.iter().enumerate() {
                    let expected = by(one.0, other.0, directions.0, Ord::cmp)
                        .then(by(one.1.clone(), other.1.clone(), directions.1, Ord::cmp))
                        .then(by(one.2, other.2, directions.2, |one, other| one.partial_cmp(other).unwrap()));
                    prop_assert_eq!(sorts.row(place).cmp(sorts.row(other_place)), expected, "{:?} {:?}", one, other);
                }
            }
        }
    }
}
