//! `to_char(time, format)` for formats of fixed width, such as `%Y-%m-%d %H:%M`: DataFusion's own goes through a formatter for
//! each row, which was a fifth of a query that groups by day. Every other format, and what is no column of timestamps in
//! UTC, is left to it; where both can answer they answer alike.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, PrimitiveArray, StringArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use chrono::{DateTime, Datelike};
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};

const DAY: i64 = 86_400;

/// The function; what it is called with, what it gives and how it is described are DataFusion's.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ToChar {
    general: Arc<ScalarUDF>,
}

impl ToChar {
    pub(super) fn new(general: Arc<ScalarUDF>) -> Self {
        Self { general }
    }
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        self.general.name()
    }

    fn aliases(&self) -> &[String] {
        self.general.aliases()
    }

    fn signature(&self) -> &Signature {
        self.general.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.general.return_type(arguments)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.general.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [ColumnarValue::Array(times), ColumnarValue::Scalar(format)] = arguments.args.as_slice()
            && let Some(format) = format.try_as_str().flatten().and_then(Format::of)
            && let Some(texts) = format.write(times)?
        {
            return Ok(ColumnarValue::Array(Arc::new(texts)));
        }
        self.general.invoke_with_args(arguments)
    }
}

/// A part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A format of which every text has the same length: the fields by where they begin, and all else as it stands.
#[derive(Debug)]
struct Format {
    template: Vec<u8>,
    fields: Vec<(usize, Field)>,
}

impl Format {
    fn of(format: &str) -> Option<Self> {
        let (mut template, mut fields) = (Vec::new(), Vec::new());
        let mut characters = format.bytes();
        while let Some(byte) = characters.next() {
            if byte != b'%' {
                template.push(byte);
                continue;
            }
            let (field, width) = match characters.next()? {
                b'Y' => (Field::Year, 4),
                b'm' => (Field::Month, 2),
                b'd' => (Field::Day, 2),
                b'H' => (Field::Hour, 2),
                b'M' => (Field::Minute, 2),
                b'S' => (Field::Second, 2),
                _ => return None,
            };
            fields.push((template.len(), field));
            template.resize(template.len() + width, b'0');
        }
        Some(Self { template, fields })
    }

    /// None where this is not for us to answer: another type, another zone, a year of more or less than four digits.
    fn write(&self, times: &ArrayRef) -> Result<Option<StringArray>> {
        let DataType::Timestamp(unit, zone) = times.data_type() else {
            return Ok(None);
        };
        if !matches!(zone.as_deref(), None | Some("UTC" | "+00:00")) {
            return Ok(None);
        }
        let unit = match unit {
            TimeUnit::Second => 1,
            TimeUnit::Millisecond => 1_000,
            TimeUnit::Microsecond => 1_000_000,
            TimeUnit::Nanosecond => 1_000_000_000,
        };
        let numbers = cast(times, &DataType::Int64)?;
        let numbers: &PrimitiveArray<Int64Type> = arrow::array::AsArray::as_primitive(&numbers);
        let (rows, width) = (numbers.len(), self.template.len());
        let Some(length) = rows.checked_mul(width).and_then(|length| i32::try_from(length).ok()) else {
            return Ok(None);
        };
        let mut text = self.template.clone();
        let mut bytes = Vec::with_capacity(rows * width);
        let (mut day_before, mut second_before) = (i64::MIN, i64::MIN);
        for row in 0..rows {
            // What stands under a NULL is nobody's: the text of the row before will do.
            let second = if numbers.is_valid(row) {
                numbers.value(row).div_euclid(unit)
            } else {
                second_before
            };
            if second != second_before {
                let day = second.div_euclid(DAY);
                if day != day_before && !self.put_date(day, &mut text) {
                    return Ok(None);
                }
                self.put_time(second.rem_euclid(DAY), &mut text);
                (day_before, second_before) = (day, second);
            }
            bytes.extend_from_slice(&text);
        }
        let step = i32::try_from(width).unwrap_or(length);
        let offsets: ScalarBuffer<i32> = (0..=i32::try_from(rows).unwrap_or(0)).map(|row| row * step).collect();
        let texts = StringArray::try_new(OffsetBuffer::new(offsets), bytes.into(), numbers.nulls().cloned())?;
        Ok(Some(texts))
    }

    fn put_date(&self, day: i64, text: &mut [u8]) -> bool {
        let date = day
            .checked_mul(DAY)
            .and_then(|second| DateTime::from_timestamp(second, 0));
        let Some(date) = date.filter(|date| (0..=9_999).contains(&date.year())) else {
            return false;
        };
        for (at, field) in &self.fields {
            match field {
                Field::Year => {
                    let year = date.year().unsigned_abs();
                    put(year / 100, &mut text[*at..]);
                    put(year % 100, &mut text[*at + 2..]);
                }
                Field::Month => put(date.month(), &mut text[*at..]),
                Field::Day => put(date.day(), &mut text[*at..]),
                Field::Hour | Field::Minute | Field::Second => {}
            }
        }
        true
    }

    fn put_time(&self, second: i64, text: &mut [u8]) {
        let second = u32::try_from(second).unwrap_or(0);
        for (at, field) in &self.fields {
            match field {
                Field::Hour => put(second / 3_600, &mut text[*at..]),
                Field::Minute => put(second / 60 % 60, &mut text[*at..]),
                Field::Second => put(second % 60, &mut text[*at..]),
                Field::Year | Field::Month | Field::Day => {}
            }
        }
    }
}

/// Two digits.
fn put(number: u32, text: &mut [u8]) {
    const DIGITS: &[u8; 10] = b"0123456789";
    text[0] = DIGITS[(number / 10 % 10) as usize];
    text[1] = DIGITS[(number % 10) as usize];
}

#[cfg(test)]
mod tests {
    use arrow::array::{TimestampMillisecondArray, TimestampSecondArray};
    use arrow::compute::cast as general_cast;
    use arrow_schema::Field as Column;
    use datafusion_common::config::ConfigOptions;
    use proptest::prelude::*;

    use super::*;

    fn general() -> Arc<ScalarUDF> {
        datafusion_functions::datetime::to_char()
    }

    fn call(function: &ScalarUDF, times: &ArrayRef, format: &str) -> Vec<Option<String>> {
        let data_type = times.data_type().clone();
        let arguments = ScalarFunctionArgs {
            args: vec![
                ColumnarValue::Array(times.clone()),
                ColumnarValue::Scalar(format.into()),
            ],
            arg_fields: vec![
                Arc::new(Column::new("time", data_type, true)),
                Arc::new(Column::new("format", DataType::Utf8, true)),
            ],
            number_rows: times.len(),
            return_field: Arc::new(Column::new("text", DataType::Utf8, true)),
            config_options: Arc::new(ConfigOptions::default()),
        };
        let texts = function
            .invoke_with_args(arguments)
            .unwrap()
            .into_array(times.len())
            .unwrap();
        let texts = general_cast(&texts, &DataType::Utf8).unwrap();
        let texts: &StringArray = arrow::array::AsArray::as_string(&texts);
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn formats_of_one_width_are_ours_and_others_are_not() {
        for format in ["%Y-%m-%d", "%H:%M", "%Y%m%dT%H%M%SZ", "day", "ein Jahr: %Y"] {
            assert!(Format::of(format).is_some(), "{format}");
        }
        for format in ["%B", "%e", "%y", "%", "%%", "%-d", "%s"] {
            assert!(Format::of(format).is_none(), "{format}");
        }
    }

    #[test]
    fn years_of_other_than_four_digits_are_left_to_the_general_function() {
        let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0, 253_402_300_800, -62_200_000_000]));
        let ours = ScalarUDF::new_from_impl(ToChar::new(general()));
        assert!(Format::of("%Y").unwrap().write(&times).unwrap().is_none());
        assert_eq!(call(&ours, &times, "%Y"), call(&general(), &times, "%Y"));
    }

    proptest! {
        #[test]
        fn both_answer_alike(
            millis in prop::collection::vec(prop::option::of(-62_000_000_000_000..253_000_000_000_000_i64), 1..40),
            format in prop::sample::select(vec!["%Y-%m-%d", "%H:%M", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y, %H h", "ä%S"]),
        ) {
            let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(millis));
            let ours = ScalarUDF::new_from_impl(ToChar::new(general()));
            prop_assert!(Format::of(format).unwrap().write(&times).unwrap().is_some());
            let zones = [None, Some("UTC".into()), Some("+00:00".into())];
            for (unit, zone) in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond].into_iter().zip(zones) {
                let times = general_cast(&times, &DataType::Timestamp(unit, zone)).unwrap();
                prop_assert_eq!(call(&ours, &times, format), call(&general(), &times, format));
            }
        }
    }
}
