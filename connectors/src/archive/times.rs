//! Event time as milliseconds, whatever a file writes it as; and what its statistics say of it.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, new_empty_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMillisecondType};
use dataflow::Failure;
use dataflow::element::columns;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use crate::columnar::Parquet;

/// A range of event time, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) min: i64,
    pub(super) max: i64,
}

impl Range {
    /// Nothing is known.
    pub(super) const ANY: Self = Self {
        min: i64::MIN,
        max: i64::MAX,
    };

    /// Whether it has a moment in `from..to`.
    pub(super) fn overlaps(self, from: i64, to: i64) -> bool {
        self.max >= from && self.min < to
    }
}

/// The column as milliseconds since 1970: timestamps and dates of any unit, integers as milliseconds, text as RFC 3339.
pub(super) fn milliseconds(column: &ArrayRef) -> Result<Int64Array, Failure> {
    let kind = column.data_type();
    let result = match kind {
        DataType::Int64 => return Ok(column.as_primitive().clone()),
        DataType::Timestamp(_, _)
        | DataType::Date32
        | DataType::Date64
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View => cast(column, &columns::timestamp()),
        DataType::Int32 | DataType::UInt32 => {
            return cast(column, &DataType::Int64)
                .map(|array| array.as_primitive().clone())
                .map_err(|error| unfit(kind).because(&error));
        }
        _ => return Err(unfit(kind)),
    };
    let times = result.map_err(|error| unfit(kind).because(&error))?;
    Ok(times.as_primitive::<TimestampMillisecondType>().reinterpret_cast())
}

fn unfit(kind: &DataType) -> Failure {
    Failure::fail(format!("the event time is a column of {kind}"))
        .help("name a column of timestamps, dates or milliseconds since 1970 with `timeColumn`")
}

/// What is known of the event time of some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Of the rows that have one.
    pub(super) range: Range,
    /// Whether there may be rows without one.
    pub(super) timeless: bool,
}

impl Known {
    const NOTHING: Self = Self {
        range: Range::ANY,
        timeless: true,
    };

    /// The range, where rows without a time count as of `origin`.
    pub(super) fn from(self, origin: i64) -> Range {
        let min = if self.timeless {
            origin
        } else {
            self.range.min.max(origin)
        };
        Range { min, ..self.range }
    }

    /// What is known of both together.
    pub(super) fn and(self, other: Self) -> Self {
        let min = self.range.min.min(other.range.min);
        let max = self.range.max.max(other.range.max);
        Self {
            range: Range { min, max },
            timeless: self.timeless || other.timeless,
        }
    }
}

/// The event time in each row group, by the statistics of its column.
///
/// The footer's own words about event time are not used: they speak of the stream's event time, which need not be the
/// column that a replay goes by.
pub(super) fn row_groups(parquet: &Parquet, column: &str) -> Result<Vec<Known>, Failure> {
    let Ok(field) = parquet.schema().field_with_name(column) else {
        return Err(no_column(parquet, column));
    };
    let footer = parquet.footer();
    let groups = footer.row_groups();
    let unknown = vec![Known::NOTHING; groups.len()];
    // Text orders as time only by luck: zones and fractions differ.
    if matches!(
        field.data_type(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    ) {
        return Ok(unknown);
    }
    milliseconds(&new_empty_array(field.data_type())).map_err(|failure| parquet.named(failure))?;
    let Ok(converter) = StatisticsConverter::try_new(column, parquet.schema(), footer.file_metadata().schema_descr())
    else {
        return Ok(unknown);
    };
    let (Ok(mins), Ok(maxes), Ok(nulls)) = (
        converter.row_group_mins(groups.iter()),
        converter.row_group_maxes(groups.iter()),
        converter.row_group_null_counts(groups.iter()),
    ) else {
        return Ok(unknown);
    };
    let (mins, maxes) = (milliseconds(&mins)?, milliseconds(&maxes)?);
    let known = |group: usize| {
        if mins.is_null(group) || maxes.is_null(group) {
            return Known::NOTHING;
        }
        let (min, max) = (mins.value(group), maxes.value(group));
        let timeless = nulls.is_null(group) || nulls.value(group) > 0;
        Known {
            range: Range { min, max },
            timeless,
        }
    };
    Ok((0..groups.len()).map(known).collect())
}

/// The file lacks the column of the event time.
pub(super) fn no_column(parquet: &Parquet, column: &str) -> Failure {
    let known = parquet
        .schema()
        .fields()
        .iter()
        .map(|field| format!("`{}`", field.name()))
        .collect::<Vec<_>>()
        .join(", ");
    parquet
        .named(Failure::fail(format!("there is no column `{column}`")))
        .help(format!(
            "name the column of the event time with `timeColumn`; there are {known}"
        ))
}
