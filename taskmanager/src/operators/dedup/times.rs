//! When rows came: by their event time, or by the clock.

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::TimestampMillisecondType;
use dataflow::Failure;
use dataflow::contract::BadRecord;
use dataflow::element::columns;
use dataflow::recipe::Clocked;

use super::{Dedup, picked};

impl Dedup {
    /// The time of each row; those that have none cannot be compared.
    pub(super) fn times(&mut self, input: RecordBatch) -> Result<(RecordBatch, Vec<i64>), Failure> {
        if self.clock == Clocked::Processing {
            let times = vec![self.now; input.num_rows()];
            return Ok((input, times));
        }
        let times = input.column_by_name(columns::TIME);
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMillisecondType>());
        let times = times.ok_or_else(|| Failure::bug("rows without the time that the plan promises"))?;
        if times.null_count() == 0 {
            let times = times.values().to_vec();
            return Ok((input, times));
        }
        let (there, gone): (Vec<usize>, Vec<usize>) = (0..input.num_rows()).partition(|row| times.is_valid(*row));
        let failed = gone.into_iter().map(|row| BadRecord {
            row,
            error: "has no event time, so nobody can say whether it is the first".to_owned(),
        });
        let kept: Vec<i64> = there.iter().map(|row| times.value(*row)).collect();
        self.outbox.dead(&self.dead, &input, &failed.collect::<Vec<_>>())?;
        let there = there.into_iter().map(|row| u32::try_from(row).unwrap_or(u32::MAX));
        let rows = picked(&input, UInt32Array::from_iter_values(there))?;
        Ok((rows, kept))
    }
}
