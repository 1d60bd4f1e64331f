//! Which columns a file has, and where in a batch they come from.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use dataflow::Failure;
use dataflow::element::columns;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::layout;

/// The columns of a file, by their place in a batch.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    places: Vec<usize>,
    schema: SchemaRef,
}

impl Columns {
    /// The columns of files with rows of `input`, partitioned by `partitions`.
    pub(super) fn new(input: &SchemaRef, partitions: &[String]) -> Self {
        let open = input.column_with_name(columns::RAW).is_some();
        let mut places = Vec::new();
        let mut fields = Vec::new();
        let mut add = |from: &str, name: &str| {
            if let Some((place, field)) = input.column_with_name(from) {
                places.push(place);
                fields.push(Arc::new(Field::new(
                    name,
                    field.data_type().clone(),
                    field.is_nullable(),
                )));
            }
        };
        if open {
            add(columns::RAW, layout::RAW);
            if partitions.iter().any(|name| name == layout::EVENT_TYPE) {
                add(layout::EVENT_TYPE, layout::EVENT_TYPE);
            }
            add(columns::TIME, layout::EVENT_TIME);
            add(columns::SPLIT, layout::SPLIT);
            add(columns::POSITION, layout::POSITION);
        } else {
            let user: Vec<_> = input
                .fields()
                .iter()
                .filter(|field| !columns::is_reserved(field.name()))
                .collect();
            user.iter().for_each(|field| add(field.name(), field.name()));
            if user.iter().all(|field| field.name() != layout::EVENT_TIME) {
                add(columns::TIME, layout::EVENT_TIME);
            }
            add(columns::SPLIT, layout::SOURCE_SPLIT);
            add(columns::POSITION, layout::SOURCE_POSITION);
        }
        Self {
            places,
            schema: Arc::new(Schema::new(fields)),
        }
    }

    /// The schema of the files, in the types of the batches.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether Parquet has all these types.
    ///
    /// # Errors
    /// The reason why not.
    pub(super) fn check(&self) -> Result<(), String> {
        ArrowSchemaConverter::new()
            .convert(&self.schema)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// The columns of these rows.
    pub(super) fn of(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let arrays = self.places.iter().map(|place| batch.column(*place).clone()).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|error| Failure::bug("rows for a Parquet sink are not of the planned schema").because(&error))
    }

    /// How they are written.
    pub(super) fn properties(&self, codec: Compression, row_group_bytes: usize) -> WriterProperties {
        let mut properties = WriterProperties::builder()
            .set_compression(codec)
            .set_max_row_group_bytes(Some(row_group_bytes))
            .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned());
        // Whole records never repeat, and no reader looks for one by its bytes.
        if self
            .schema
            .field_with_name(layout::RAW)
            .is_ok_and(|field| *field.data_type() == DataType::BinaryView)
        {
            let raw = ColumnPath::from(layout::RAW);
            properties = properties
                .set_column_dictionary_enabled(raw.clone(), false)
                .set_column_statistics_enabled(raw, EnabledStatistics::None);
        }
        // Positions grow: a dictionary of them would be made and thrown away.
        for name in [layout::POSITION, layout::SOURCE_POSITION] {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
        }
        properties.build()
    }
}
