//! Types as documents name them, and the few that rows may have.

use arrow::datatypes::{DataType, Field, TimeUnit};

use crate::element::columns;

/// The type's name in a document: `string`, `int64`, `decimal(10,2)`, `[string]`, `{total: double}`.
#[must_use]
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "NULL".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int32 => "int32".to_owned(),
        DataType::Int64 => "int64".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) if zone.as_ref() == "UTC" => "timestamp".to_owned(),
        DataType::Timestamp(_, _) => "timestamp".to_owned(),
        DataType::Interval(_) | DataType::Duration(_) => "interval".to_owned(),
        DataType::Dictionary(_, value) => type_name(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            format!("[{}]", field_type_name(item))
        }
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{}: {}", field.name(), field_type_name(field)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string().to_lowercase(),
    }
}

/// As [`type_name`], of a field: `json` if it holds values of any type.
#[must_use]
pub fn field_type_name(field: &Field) -> String {
    if columns::is_any(field) {
        "json".to_owned()
    } else {
        type_name(field.data_type())
    }
}

/// The type that rows have for values of `data_type`; none where a row cannot hold them.
///
/// DataFusion's functions yield many types of text, time and number; operators, formats and sinks know one of each.
#[must_use]
pub(super) fn row_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 | DataType::Int32 => DataType::Int32,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 | DataType::Float32 => DataType::Float32,
        DataType::Timestamp(_, _) => columns::timestamp(),
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::Dictionary(_, value) => row_type(value)?,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
        DataType::Decimal256(_, scale) => DataType::Decimal128(38, *scale),
        DataType::Boolean | DataType::Float64 | DataType::List(_) | DataType::Struct(_) => data_type.clone(),
        _ => return None,
    })
}
