//! The source side of connector `archive`.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::connector::options;
use dataflow::contract::{
    Enumerator, EnumeratorContext, InvalidOptions, Reader, ReaderContext, Shape, SourceConnector,
};
use dataflow::element::columns;
use dataflow::store::Stores;
use serde_json::Value;

use super::enumerator::Catalog;
use super::options::{Options, Replay};
use super::partitions::{partitions, wanted};
use super::reader::ArchiveReader;
use crate::columnar::{Parquet, weir_schema};
use crate::parquet::layout;

/// Replays archives.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveSource;

fn read(value: &Value) -> Result<Replay, InvalidOptions> {
    options::<Options>(value)?.understand()
}

fn understood(value: &Value) -> Result<Replay, Failure> {
    read(value).map_err(|error| Failure::fail("archive").because(&error))
}

#[async_trait]
impl SourceConnector for ArchiveSource {
    fn schema(&self) -> Value {
        schemars::schema_for!(Options).to_value()
    }

    fn plan(&self, options: &Value) -> Result<Shape, InvalidOptions> {
        read(options).map(|_| Shape::Discovered)
    }

    fn is_timed(&self) -> bool {
        true
    }

    async fn discover_schema(&self, options: &Value, stores: Arc<dyn Stores>) -> Result<SchemaRef, Failure> {
        let replay = understood(options)?;
        let found = replay.location.find(stores.as_ref()).await?;
        let in_range = found
            .objects
            .iter()
            .find(|object| wanted(&partitions(&object.path), &replay));
        let Some(object) = in_range.or_else(|| found.objects.first()) else {
            return Err(Failure::fail(format!(
                "there are no files at `{}` to learn the columns from",
                replay.path
            ))
            .help("check the path; an archive has files once its first epoch with a rolled file is committed"));
        };
        let parquet = Parquet::open(stores.open(&found.store)?, object).await?;
        Ok(Arc::new(schema(&parquet, &object.path)))
    }

    fn enumerator(
        &self,
        options: &Value,
        context: EnumeratorContext,
        restored: Option<Value>,
    ) -> Result<Box<dyn Enumerator>, Failure> {
        Ok(Box::new(Catalog::new(understood(options)?, context, restored.as_ref())))
    }

    fn reader(&self, options: &Value, context: ReaderContext) -> Result<Box<dyn Reader>, Failure> {
        Ok(Box::new(ArchiveReader::new(understood(options)?, context)))
    }
}

/// What a replay of this file yields: the records as bytes, or its columns and those of its folders.
fn schema(parquet: &Parquet, path: &str) -> Schema {
    if parquet.value(layout::KEY_OPEN) == Some("true") {
        return Schema::new(vec![columns::raw()]);
    }
    let ours = parquet.value(layout::KEY_DATASTREAM).is_some();
    let stored = weir_schema(parquet.schema());
    let mut fields: Vec<Field> = stored.fields().iter().map(|field| field.as_ref().clone()).collect();
    // Source coordinates are those of the stream that was archived.
    fields.retain(|field| !columns::is_reserved(field.name()));
    for (name, _) in partitions(path) {
        // In an archive of ours day and hour say nothing that the event time does not say.
        let derived = ours && [layout::PARTITION_DATE, layout::PARTITION_HOUR].contains(&name.as_str());
        if !derived && !fields.iter().any(|field| *field.name() == name) {
            fields.push(Field::new(name, DataType::Utf8View, true));
        }
    }
    Schema::new(fields)
}
