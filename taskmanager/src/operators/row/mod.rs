//! Rows as bytes in state: ours and written down, so that they outlive every library and a change of their columns.
//!
//! A row is its columns one behind another: a bit for each that is NULL (the lowest of the first byte is the first
//! column's), then the values of the others. Whole numbers, floats, decimals, dates and timestamps have the width of their
//! type, little-endian; a boolean is a byte; text and bytes stand behind their length; a record is as a row; a list is its
//! count, a bit for each element that is NULL, and the others. Lengths and counts are 4 bytes, little-endian.
//!
//! What the columns are is a [`Layout`], which the snapshot's note holds beside its fingerprint, and each value of the state
//! begins with the fingerprint of its layout. Read into other columns, rows lose those that are gone, get NULL in those that
//! are new, and have the others widened.

mod read;
mod write;
#[cfg(test)]
mod tests;

pub(super) use write::RowWriter;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::compute::cast;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use dataflow::Failure;
use serde::{Deserialize, Serialize};

use read::Cells;

/// The columns of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Layout(Vec<Column>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    kind: Kind,
}

/// What values are, as far as their bytes tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float,
    Double,
    Decimal(u8, i8),
    Text,
    Binary,
    Date,
    /// In so many parts of a second: 1, 1000, …
    Timestamp(u32),
    Record(Layout),
    List(Box<Kind>),
}

impl Kind {
    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::UInt8 => Self::Uint8,
            DataType::UInt16 => Self::Uint16,
            DataType::UInt32 => Self::Uint32,
            DataType::UInt64 => Self::Uint64,
            DataType::Float32 => Self::Float,
            DataType::Float64 => Self::Double,
            DataType::Decimal128(precision, scale) => Self::Decimal(*precision, *scale),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::Binary,
            DataType::Date32 => Self::Date,
            DataType::Timestamp(unit, _) => Self::Timestamp(match unit {
                TimeUnit::Second => 1,
                TimeUnit::Millisecond => 1_000,
                TimeUnit::Microsecond => 1_000_000,
                TimeUnit::Nanosecond => 1_000_000_000,
            }),
            DataType::Dictionary(_, values) => Self::of(values)?,
            DataType::Struct(fields) => {
                let columns = fields.iter().map(|field| Column::of(field));
                Self::Record(Layout(columns.collect::<Option<_>>()?))
            }
            DataType::List(element) => Self::List(Box::new(Self::of(element.data_type())?)),
            _ => return None,
        })
    }
}

impl Column {
    fn of(field: &Field) -> Option<Self> {
        Some(Self {
            name: field.name().clone(),
            kind: Kind::of(field.data_type())?,
        })
    }
}

impl Layout {
    /// Of rows with these columns.
    pub(super) fn of(schema: &Schema) -> Result<Self, Failure> {
        let column = |field: &Arc<Field>| {
            let unfit = || {
                let what = field.data_type();
                Failure::fail(format!("rows with `{}`, which is {what}, cannot be kept", field.name()))
                    .help("leave the column out with a `drop` before this step")
            };
            Column::of(field).ok_or_else(unfit)
        };
        Ok(Self(schema.fields().iter().map(column).collect::<Result<_, _>>()?))
    }

    /// What tells it from others.
    fn fingerprint(&self) -> u32 {
        let text = serde_json::to_vec(self).expect("names and kinds are what JSON can say");
        crc32fast::hash(&text)
    }

    /// The columns that `rows` say.
    fn read<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Option<Vec<ArrayRef>> {
        let mut columns: Vec<Cells> = self.0.iter().map(|column| Cells::new(&column.kind)).collect();
        for mut row in rows {
            read::record(&mut columns, &mut row)?;
            if !row.is_empty() {
                return None;
            }
        }
        columns.into_iter().map(Cells::finish).collect()
    }
}

/// Layouts by fingerprint: what a note holds.
pub(super) type Layouts = BTreeMap<u32, Layout>;

/// The rows that an operator keeps: how they are now, and how they may have been written earlier.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    schema: SchemaRef,
    layout: Layout,
    fingerprint: u32,
    earlier: Layouts,
}

impl Rows {
    /// Rows of this schema; `earlier` are the layouts of what is restored.
    pub(super) fn new(schema: &SchemaRef, earlier: impl IntoIterator<Item = Layouts>) -> Result<Self, Failure> {
        let layout = Layout::of(schema)?;
        Ok(Self {
            schema: Arc::clone(schema),
            fingerprint: layout.fingerprint(),
            layout,
            earlier: earlier.into_iter().flatten().collect(),
        })
    }

    /// The columns.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What stands in front of rows as they are written now.
    pub(super) fn fingerprint(&self) -> u32 {
        self.fingerprint
    }

    /// What the note says. Cuts of earlier attempts may be needed for long, so their layouts stay.
    pub(super) fn layouts(&self) -> Layouts {
        let mut layouts = self.earlier.clone();
        layouts.insert(self.fingerprint, self.layout.clone());
        layouts
    }

    /// The columns of rows that were written by this layout's fingerprint.
    pub(super) fn columns<'a>(
        &self,
        fingerprint: u32,
        rows: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<Vec<ArrayRef>, Failure> {
        let layout = if fingerprint == self.fingerprint {
            &self.layout
        } else {
            let found = self.earlier.get(&fingerprint);
            found.ok_or_else(|| Failure::fail("rows in the state are of columns that its note does not name"))?
        };
        let count = rows.clone().count();
        let read = layout.read(rows).ok_or_else(unreadable)?;
        let fields = self.schema.fields().iter();
        let columns = fields.map(|field| {
            let place = layout.0.iter().position(|column| column.name == *field.name());
            match place {
                Some(place) => fitted(&read[place], field),
                None if field.is_nullable() => Ok(new_null_array(field.data_type(), count)),
                None => Err(Failure::fail(format!("rows in the state have no `{}`", field.name()))),
            }
        });
        columns.collect()
    }
}

fn unreadable() -> Failure {
    Failure::fail("rows in the state cannot be read: their bytes are not of their columns")
}

fn fitted(column: &ArrayRef, field: &Field) -> Result<ArrayRef, Failure> {
    let wanted = field.data_type();
    if column.data_type() == wanted {
        return Ok(Arc::clone(column));
    }
    // A dictionary of views cannot be made in one step.
    let column = match (wanted, column.data_type()) {
        (DataType::Dictionary(_, _), DataType::Utf8View) => cast(column, &DataType::Utf8).ok(),
        (DataType::Dictionary(_, _), DataType::BinaryView) => cast(column, &DataType::Binary).ok(),
        _ => Some(Arc::clone(column)),
    };
    let nulls = column.as_ref().map(|column| column.null_count());
    let cast = column.and_then(|column| cast(&column, wanted).ok());
    // A value that does not fit becomes NULL in a cast.
    cast.filter(|cast| Some(cast.null_count()) == nulls).ok_or_else(|| {
        Failure::fail(format!(
            "`{}` of rows in the state does not fit {wanted}, which the step wants now",
            field.name()
        ))
    })
}
