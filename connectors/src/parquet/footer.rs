//! What the footer of a file says of its rows: where they come from and when they happened.

use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{Int32Type, TimestampMillisecondType, UInt64Type};
use dataflow::contract::SinkContext;
use dataflow::element::columns;
use parquet::file::metadata::KeyValue;

use super::layout;

/// Who wrote a file.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    values: Vec<KeyValue>,
}

impl Origin {
    pub(super) fn new(context: &SinkContext) -> Self {
        let open = context.input.column_with_name(columns::RAW).is_some();
        let values = [
            (layout::KEY_DATASTREAM, context.job.name.clone()),
            (layout::KEY_JOB, context.job.to_string()),
            (layout::KEY_EPOCH, context.epoch.0.to_string()),
            (layout::KEY_OPEN, open.to_string()),
        ];
        Self {
            values: values.map(|(key, value)| KeyValue::new(key.to_owned(), value)).to_vec(),
        }
    }
}

/// What is known of the rows of one segment or file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// By source split, the first and the last position.
    positions: BTreeMap<String, (u64, u64)>,
    /// The lowest and the highest event time.
    times: Option<(i64, i64)>,
}

impl Facts {
    /// Takes in the rows of a batch, by their reserved columns, as far as they have them.
    pub(super) fn add(&mut self, batch: &RecordBatch) {
        let time = batch
            .column_by_name(columns::TIME)
            .and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
        if let Some(range) = time.and_then(|time| Some((min(time)?, max(time)?))) {
            self.add_times(range);
        }
        let split = batch
            .column_by_name(columns::SPLIT)
            .and_then(|column| column.as_dictionary_opt::<Int32Type>());
        let position = batch
            .column_by_name(columns::POSITION)
            .and_then(|column| column.as_primitive_opt::<UInt64Type>());
        let (Some(split), Some(position)) = (split, position) else {
            return;
        };
        let Some(names) = split.values().as_string_opt::<i32>() else {
            return;
        };
        let mut ranges: Vec<Option<(u64, u64)>> = vec![None; names.len()];
        for (key, position) in split.keys().values().iter().zip(position.values()) {
            if let Some(range) = usize::try_from(*key).ok().and_then(|key| ranges.get_mut(key)) {
                let (first, last) = range.unwrap_or((*position, *position));
                *range = Some((first.min(*position), last.max(*position)));
            }
        }
        for (name, range) in names.iter().zip(ranges) {
            if let (Some(name), Some(range)) = (name, range) {
                self.add_positions(name, range);
            }
        }
    }

    fn add_times(&mut self, (low, high): (i64, i64)) {
        let (lowest, highest) = self.times.unwrap_or((low, high));
        self.times = Some((lowest.min(low), highest.max(high)));
    }

    fn add_positions(&mut self, split: &str, (first, last): (u64, u64)) {
        match self.positions.get_mut(split) {
            Some(known) => *known = (known.0.min(first), known.1.max(last)),
            None => {
                self.positions.insert(split.to_owned(), (first, last));
            }
        }
    }

    /// Takes in what another footer says.
    pub(super) fn merge(&mut self, other: &Self) {
        if let Some(times) = other.times {
            self.add_times(times);
        }
        for (split, range) in &other.positions {
            self.add_positions(split, *range);
        }
    }

    /// As the footer holds it, behind who wrote the file.
    pub(super) fn footer(&self, origin: &Origin) -> Vec<KeyValue> {
        let mut values = origin.values.clone();
        let positions = serde_json::to_string(&self.positions).unwrap_or_default();
        values.push(KeyValue::new(layout::KEY_POSITIONS.to_owned(), positions));
        if let Some((low, high)) = self.times {
            values.push(KeyValue::new(layout::KEY_EVENT_TIME_MIN.to_owned(), low.to_string()));
            values.push(KeyValue::new(layout::KEY_EVENT_TIME_MAX.to_owned(), high.to_string()));
        }
        values
    }

    /// Reads a footer: who wrote the file, and what is known of its rows. Entries of others are left out.
    pub(super) fn read(footer: &[KeyValue]) -> (Origin, Self) {
        let find = |key: &str| footer.iter().find(|entry| entry.key == key);
        let text = |key: &str| find(key).and_then(|entry| entry.value.as_deref());
        let number = |key: &str| text(key).and_then(|text| text.parse().ok());
        let positions = text(layout::KEY_POSITIONS)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let times = number(layout::KEY_EVENT_TIME_MIN).zip(number(layout::KEY_EVENT_TIME_MAX));
        let keys = [
            layout::KEY_DATASTREAM,
            layout::KEY_JOB,
            layout::KEY_EPOCH,
            layout::KEY_OPEN,
        ];
        (
            Origin {
                values: keys.into_iter().filter_map(find).cloned().collect(),
            },
            Self { positions, times },
        )
    }
}
