//! The source side of connector `file`.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::connector::options;
use dataflow::contract::{
    Enumerator, EnumeratorContext, InvalidOptions, Reader, ReaderContext, Shape, SourceConnector,
};
use dataflow::store::Stores;
use serde_json::Value;

use super::columns::ColumnReader;
use super::enumerator::Finder;
use super::location::Location;
use super::options::{Options, Records};
use super::reader::LineReader;
use crate::columnar::{self, Parquet};

/// Reads files.
#[derive(Clone, Copy, Debug)]
pub struct FileSource;

fn read(value: &Value) -> Result<Options, InvalidOptions> {
    let options: Options = options(value)?;
    options.check()?;
    Ok(options)
}

fn understood(value: &Value) -> Result<(Options, Location), Failure> {
    let options = read(value).map_err(|error| Failure::fail("file").because(&error))?;
    let location = Location::parse(&options.path).map_err(Failure::fail)?;
    Ok((options, location))
}

#[async_trait]
impl SourceConnector for FileSource {
    fn schema(&self) -> Value {
        schemars::schema_for!(Options).to_value()
    }

    fn plan(&self, options: &Value) -> Result<Shape, InvalidOptions> {
        Ok(match read(options)?.records() {
            Records::Lines => Shape::Bytes,
            Records::Parquet => Shape::Discovered,
        })
    }

    async fn discover_schema(&self, options: &Value, stores: Arc<dyn Stores>) -> Result<SchemaRef, Failure> {
        let (options, location) = understood(options)?;
        let found = location.find(stores.as_ref()).await?;
        let Some(first) = found.objects.first() else {
            return Err(Failure::fail(format!(
                "there are no files at `{}` to learn the columns from",
                options.path
            ))
            .help("check the path or pattern, or give the columns as `schema:` in the format"));
        };
        let parquet = Parquet::open(stores.open(&found.store)?, first).await?;
        Ok(Arc::new(columnar::weir_schema(parquet.schema())))
    }

    fn enumerator(
        &self,
        options: &Value,
        context: EnumeratorContext,
        restored: Option<Value>,
    ) -> Result<Box<dyn Enumerator>, Failure> {
        let (options, location) = understood(options)?;
        Ok(Box::new(Finder::new(options, location, context, restored.as_ref())?))
    }

    fn reader(&self, options: &Value, context: ReaderContext) -> Result<Box<dyn Reader>, Failure> {
        let (options, _) = understood(options)?;
        Ok(match options.records() {
            Records::Lines => Box::new(LineReader::new(context)),
            Records::Parquet => Box::new(ColumnReader::new(context)),
        })
    }
}
