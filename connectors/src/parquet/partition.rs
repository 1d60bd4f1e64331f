//! Which folder a row belongs to: `eventType=PURCHASE/date=2026-11-22/hour=13`.

use std::collections::HashMap;
use std::fmt::Write as _;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::TimestampMillisecondType;
use arrow_schema::{DataType, SchemaRef};
use chrono::{DateTime, NaiveDateTime};
use dataflow::Failure;
use dataflow::contract::InvalidOptions;
use dataflow::element::columns;
use dataflow::expr::Path;

use super::layout;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The longest value that is written as it is; names of files end at 255 bytes.
const VALUE_BYTES_MAX: usize = 180;

/// One level of folders.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Level {
    /// The day of the event time.
    Date,
    /// The hour of the event time.
    Hour,
    /// A field.
    Field(Path),
}

/// Sorts rows into folders.
#[derive(Clone, Debug)]
pub(super) struct Partitioner {
    levels: Vec<(String, Level)>,
    /// How much event time one folder spans; `None` where folders do not depend on it.
    bucket_ms: Option<i64>,
    hasher: ahash::RandomState,
}

/// The rows of a batch that belong to one folder.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The folder, relative to the root; empty without partitions.
    pub(super) folder: String,
    /// The rows.
    pub(super) rows: RecordBatch,
}

/// What the folders of a batch depend on.
struct Keys {
    buckets: Option<Vec<i64>>,
    fields: Vec<StringViewArray>,
}

/// Stands for an event time that is absent; no bucket has this number.
const NO_TIME: i64 = i64::MIN;

impl Partitioner {
    /// Levels by name, for rows of this schema: a field of the record, or else `date` and `hour`.
    pub(super) fn new(names: &[String], input: &SchemaRef) -> Result<Self, InvalidOptions> {
        let mut levels = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            levels.push((name.clone(), level(name, input, &format!("/partitionBy/{index}"))?));
        }
        let has = |level: &Level| levels.iter().any(|(_, other)| other == level);
        let bucket_ms = if has(&Level::Hour) {
            Some(HOUR_MS)
        } else {
            has(&Level::Date).then_some(DAY_MS)
        };
        Ok(Self {
            levels,
            bucket_ms,
            hasher: ahash::RandomState::new(),
        })
    }

    /// The fields that folders are named by.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Path> {
        self.levels.iter().filter_map(|(_, level)| match level {
            Level::Field(path) => Some(path),
            Level::Date | Level::Hour => None,
        })
    }

    /// The rows, folder by folder, in their order within each; folders in the order in which they first appear.
    pub(super) fn split(&self, batch: &RecordBatch) -> Result<Vec<Part>, Failure> {
        let keys = self.keys(batch)?;
        let mut firsts: Vec<usize> = Vec::new();
        let mut members: Vec<Vec<u32>> = Vec::new();
        let mut known: HashMap<u64, usize> = HashMap::new();
        let mut last: Option<usize> = None;
        for row in 0..batch.num_rows() {
            let part = match last {
                Some(part) if keys.equal(row, firsts[part]) => part,
                _ => find(&keys, row, &mut firsts, &mut known, &self.hasher),
            };
            if part == members.len() {
                members.push(Vec::new());
            }
            members[part].push(u32::try_from(row).unwrap_or(u32::MAX));
            last = Some(part);
        }
        if let [first] = firsts.as_slice() {
            return Ok(vec![Part {
                folder: self.folder(&keys, *first),
                rows: batch.clone(),
            }]);
        }
        let parts = firsts.iter().zip(members).map(|(first, rows)| {
            let rows = arrow::compute::take_record_batch(batch, &UInt32Array::from(rows));
            let rows = rows.map_err(|error| Failure::bug("rows cannot be taken from a batch").because(&error))?;
            Ok(Part {
                folder: self.folder(&keys, *first),
                rows,
            })
        });
        parts.collect()
    }

    fn keys(&self, batch: &RecordBatch) -> Result<Keys, Failure> {
        let buckets = match self.bucket_ms {
            Some(width) => {
                let time = batch
                    .column_by_name(columns::TIME)
                    .and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
                let time = time.ok_or_else(|| Failure::bug("rows for a Parquet sink have no event time"))?;
                Some(
                    time.iter()
                        .map(|time| time.map_or(NO_TIME, |time| time.div_euclid(width)))
                        .collect(),
                )
            }
            None => None,
        };
        let fields = self.fields().map(|path| {
            let column = resolve(batch, path)
                .ok_or_else(|| Failure::bug(format!("rows for a Parquet sink have no field `{path}`")))?;
            let text = cast(&column, &DataType::Utf8View);
            let text =
                text.map_err(|error| Failure::fail(format!("folders cannot be named by `{path}`")).because(&error))?;
            Ok(text.as_string_view().clone())
        });
        Ok(Keys {
            buckets,
            fields: fields.collect::<Result<_, Failure>>()?,
        })
    }

    /// The folder of a row.
    fn folder(&self, keys: &Keys, row: usize) -> String {
        let start = keys.buckets.as_ref().zip(self.bucket_ms).and_then(|(buckets, width)| {
            let start = buckets[row].checked_mul(width).filter(|_| buckets[row] != NO_TIME)?;
            DateTime::from_timestamp_millis(start).map(|start| start.naive_utc())
        });
        let mut fields = keys.fields.iter();
        let mut folder = String::new();
        for (name, level) in &self.levels {
            if !folder.is_empty() {
                folder.push('/');
            }
            escape(name, &mut folder);
            folder.push('=');
            match level {
                Level::Date => time_value(start, "%Y-%m-%d", &mut folder),
                Level::Hour => time_value(start, "%H", &mut folder),
                Level::Field(_) => match fields.next() {
                    Some(values) if values.is_valid(row) => value(values.value(row), &mut folder),
                    _ => folder.push_str(layout::PARTITION_NULL),
                },
            }
        }
        folder
    }
}

impl Keys {
    fn equal(&self, left: usize, right: usize) -> bool {
        let time = self
            .buckets
            .as_ref()
            .is_none_or(|buckets| buckets[left] == buckets[right]);
        let same = |field: &StringViewArray| match (field.is_valid(left), field.is_valid(right)) {
            (true, true) => field.value(left) == field.value(right),
            (left, right) => left == right,
        };
        time && self.fields.iter().all(same)
    }

    fn hash(&self, row: usize, hasher: &ahash::RandomState) -> u64 {
        let bucket = self.buckets.as_ref().map_or(0, |buckets| buckets[row]);
        let start = hasher.hash_one(bucket);
        self.fields.iter().fold(start, |hash, field| {
            hasher.hash_one((hash, field.is_valid(row).then(|| field.value(row))))
        })
    }
}

/// The part a row belongs to; a new one where no row before had the same keys.
fn find(
    keys: &Keys,
    row: usize,
    firsts: &mut Vec<usize>,
    known: &mut HashMap<u64, usize>,
    hasher: &ahash::RandomState,
) -> usize {
    let mut hash = keys.hash(row, hasher);
    loop {
        match known.get(&hash) {
            Some(part) if keys.equal(row, firsts[*part]) => return *part,
            // Another key of the same hash stands here: the next place is as good.
            Some(_) => hash = hash.wrapping_add(1),
            None => {
                known.insert(hash, firsts.len());
                firsts.push(row);
                return firsts.len() - 1;
            }
        }
    }
}

/// What a name of `partitionBy` means for rows of this schema.
fn level(name: &str, input: &SchemaRef, pointer: &str) -> Result<Level, InvalidOptions> {
    let invalid = |message: String, help: &str| InvalidOptions {
        pointer: pointer.to_owned(),
        message,
        help: Some(help.to_owned()),
    };
    let path: Path = name
        .parse()
        .map_err(|error: dataflow::expr::InvalidPath| invalid(error.to_string(), "write a field of the record"))?;
    let open = input.column_with_name(columns::RAW).is_some();
    let found = field_type(input, &path);
    match (name, found) {
        (layout::PARTITION_DATE, None) => Ok(Level::Date),
        (layout::PARTITION_HOUR, None) => Ok(Level::Hour),
        (layout::PARTITION_DATE, Some(_)) if open => Ok(Level::Date),
        (layout::PARTITION_HOUR, Some(_)) if open => Ok(Level::Hour),
        (_, Some(nested)) if nested.is_nested() => Err(invalid(
            format!("folders cannot be named by `{name}`, which is not a single value"),
            "name a field inside it",
        )),
        (_, None) if !open => {
            let names: Vec<_> = input
                .fields()
                .iter()
                .filter(|field| !columns::is_reserved(field.name()))
                .map(|field| format!("`{}`", field.name()))
                .collect();
            Err(invalid(
                format!("the records have no field `{name}`"),
                &format!("write `date`, `hour` or a field of the records: {}", names.join(", ")),
            ))
        }
        _ => Ok(Level::Field(path)),
    }
}

/// The type of a field, if rows of this schema have it.
fn field_type<'schema>(input: &'schema SchemaRef, path: &Path) -> Option<&'schema DataType> {
    let mut data_type = input.field_with_name(path.column()).ok()?.data_type();
    for part in &path.parts()[1..] {
        let DataType::Struct(fields) = data_type else {
            return None;
        };
        data_type = fields.find(part)?.1.data_type();
    }
    Some(data_type)
}

/// The column of a field; a field inside an absent record is absent.
pub(super) fn resolve(batch: &RecordBatch, path: &Path) -> Option<ArrayRef> {
    let mut column = batch.column_by_name(path.column())?.clone();
    for part in &path.parts()[1..] {
        let record = column.as_struct_opt()?;
        let field = record.column_by_name(part)?;
        // A child may hold anything where its record is absent.
        column = match record.nulls() {
            Some(nulls) => {
                let nulls = arrow::buffer::NullBuffer::union(Some(nulls), field.nulls());
                arrow::array::make_array(field.to_data().into_builder().nulls(nulls).build().ok()?)
            }
            None => field.clone(),
        };
    }
    Some(column)
}

fn time_value(start: Option<NaiveDateTime>, format: &str, folder: &mut String) {
    match start {
        // Writing to a string fails only where a format does, and these are constants.
        Some(start) => {
            let _ = write!(folder, "{}", start.format(format));
        }
        None => folder.push_str(layout::PARTITION_NULL),
    }
}

/// A value as a folder says it. What is too long for a name is cut, and told apart by a hash; the column in the file has it whole.
fn value(value: &str, folder: &mut String) {
    let start = folder.len();
    escape(value, folder);
    if folder.len() - start > VALUE_BYTES_MAX {
        let mut end = start + VALUE_BYTES_MAX;
        // Everything escaped is ASCII; a percent sign must keep its two digits.
        while folder[end - 2..end].contains('%') {
            end -= 1;
        }
        folder.truncate(end);
        let _ = write!(folder, "~{:016x}", fnv(value.as_bytes()));
    }
}

/// As Hive escapes names: what a path or a reader would take for something else becomes `%` and two digits.
fn escape(value: &str, folder: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'$' | b'@' | b'+' | b',' => {
                folder.push(char::from(byte))
            }
            other => {
                let _ = write!(folder, "%{other:02X}");
            }
        }
    }
}

/// FNV-1a, 64 bits: the same in every version, as it is part of names.
pub(super) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valued(text: &str) -> String {
        let mut folder = String::new();
        value(text, &mut folder);
        folder
    }

    #[test]
    fn values_are_escaped_as_hive_does() {
        assert_eq!(valued("ADD_TO_CART"), "ADD_TO_CART");
        assert_eq!(valued("a/b=c%d e"), "a%2Fb%3Dc%25d%20e");
        assert_eq!(valued("grün"), "gr%C3%BCn");
        assert_eq!(valued(".."), "..", "it stands behind `name=`, so it climbs nowhere");
    }

    #[test]
    fn a_long_value_becomes_a_name_that_a_disk_takes() {
        for text in ["x".repeat(5_000), "é/".repeat(2_000)] {
            let (first, other) = (valued(&text), valued(&format!("{text}!")));
            assert!(first.len() <= 255 - "eventType=".len(), "{}", first.len());
            assert_ne!(first, other, "what is cut is told apart");
            let cut = first.rsplit_once('~').unwrap().0;
            let escapes = cut.match_indices('%').all(|(at, _)| cut.len() >= at + 3);
            assert!(escapes, "no escape is cut in two: {cut}");
        }
    }
}
