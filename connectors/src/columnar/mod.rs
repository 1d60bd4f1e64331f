//! Parquet files in stores: opened, pruned to the columns that are read, and turned into Weir's types.
//!
//! Enters: an object of a store. Leaves: batches of the wanted columns. Who calls: the sources `file` and `archive`, in tasks.
//! Must stay true: whatever a file holds, the answer is rows or a [`Failure`] that names it.

mod object;
mod types;

use std::sync::Arc;

use arrow_schema::{FieldRef, Schema};
use dataflow::Failure;
use dataflow::store::{Object, Store};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

pub(crate) use object::ObjectFile;
pub(crate) use types::{conform, leaves, weir_schema};

/// An open Parquet file: its footer is known.
#[derive(Clone, Debug)]
pub(crate) struct Parquet {
    file: ObjectFile,
    metadata: ArrowReaderMetadata,
}

impl Parquet {
    /// Reads the footer of an object, with the places of pages where the file has them.
    pub(crate) async fn open(store: Arc<dyn Store>, object: &Object) -> Result<Self, Failure> {
        let mut file = ObjectFile {
            store,
            path: object.path.clone(),
            size: object.size,
        };
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load_async(&mut file, options).await;
        let metadata = metadata.map_err(|error| failure(&file, error))?;
        Ok(Self { file, metadata })
    }

    /// The schema as the file has it.
    pub(crate) fn schema(&self) -> &Schema {
        self.metadata.schema()
    }

    /// The footer.
    pub(crate) fn footer(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    /// What the footer says under `key`.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        let pairs = self.footer().file_metadata().key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
    }

    /// The columns `wanted`, and of records only the fields that are wanted.
    pub(crate) fn mask(&self, wanted: &[FieldRef]) -> ProjectionMask {
        let paths = leaves(wanted);
        let schema = self.footer().file_metadata().schema_descr();
        let is_wanted = |leaf: &[String]| paths.iter().any(|path| leaf.starts_with(path));
        let kept = (0..schema.num_columns()).filter(|index| is_wanted(schema.column(*index).path().parts()));
        ProjectionMask::leaves(schema, kept)
    }

    /// Begins to read the columns `wanted`.
    pub(crate) fn columns(&self, wanted: &[FieldRef]) -> Result<ParquetRecordBatchStreamBuilder<ObjectFile>, Failure> {
        let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(self.file.clone(), self.metadata.clone());
        Ok(builder.with_projection(self.mask(wanted)))
    }

    /// Begins to read all columns.
    pub(crate) fn whole(&self) -> ParquetRecordBatchStreamBuilder<ObjectFile> {
        ParquetRecordBatchStreamBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
    }

    /// A failure of this file.
    pub(crate) fn failure(&self, error: ParquetError) -> Failure {
        failure(&self.file, error)
    }

    /// Names the file in a failure that was found in its content.
    pub(crate) fn named(&self, failure: Failure) -> Failure {
        Failure {
            message: format!("`{}`: {}", name(&self.file), failure.message),
            ..failure
        }
    }
}

fn name(file: &ObjectFile) -> String {
    format!("{}/{}", file.store.url().trim_end_matches('/'), file.path)
}

fn failure(file: &ObjectFile, error: ParquetError) -> Failure {
    let error = match error {
        ParquetError::External(cause) => match cause.downcast::<Failure>() {
            Ok(failure) => return *failure,
            Err(cause) => ParquetError::External(cause),
        },
        error => error,
    };
    Failure::fail(format!("`{}` is not a Parquet file, or is damaged", name(file)))
        .because(&error)
        .help("check the file; narrow the path to the Parquet files, for example with `*.parquet`")
}
