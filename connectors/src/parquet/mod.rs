//! `parquet`: the archive's writing side. Any Parquet reader can read what it writes; `archive` replays it.

mod browse;
mod columns;
mod footer;
pub mod layout;
mod options;
mod partition;
mod sink;
pub(crate) mod stitch;
mod writer;

use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};
use dataflow::Failure;
use dataflow::contract::sink::{Kinds, Wants};
use dataflow::contract::{
    Browse, Connector, Description, Example, Guarantee, InvalidOptions, Sink, SinkConnector, SinkContext, connector,
};
use dataflow::element::columns as reserved;
use serde_json::Value;

use crate::segments;
use columns::Columns;
use options::Options;
use partition::Partitioner;

/// The connector `parquet`.
#[derive(Clone, Copy, Debug)]
pub struct Parquet;

const EXAMPLES: &[Example] = &[Example {
    title: "Shop events as an archive by type, day and hour",
    document: "datastreamName: shop-archive
contactName: eng-data
desiredState: ON
sources:
  - generator: { events: shop, count: 100000 }
sinks:
  - parquet: { path: ./archive, roll: { size: 64MiB, every: 1m } }
",
}];

impl Connector for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn describe(&self) -> Description {
        Description {
            summary: "Parquet files under folders named by partition, on a disk or in a bucket",
            guarantee: Some(Guarantee::ExactlyOnce),
            examples: EXAMPLES,
        }
    }

    fn sink(&self) -> Option<&dyn SinkConnector> {
        Some(self)
    }
}

/// Checked options, and what follows from them for rows of a schema.
fn bind(options: &Value, input: &SchemaRef) -> Result<(Options, Partitioner, Vec<String>), InvalidOptions> {
    let options: Options = connector::options(options)?;
    options.check()?;
    let open = input.column_with_name(reserved::RAW).is_some();
    let names = options.partitions(|| open || input.column_with_name(layout::EVENT_TYPE).is_some());
    let partitioner = Partitioner::new(&names, input)?;
    Ok((options, partitioner, names))
}

impl SinkConnector for Parquet {
    fn schema(&self) -> Value {
        schemars::schema_for!(Options).to_value()
    }

    fn plan(&self, options: &Value, input: &SchemaRef) -> Result<Wants, InvalidOptions> {
        let (_, partitioner, names) = bind(options, input)?;
        Columns::new(input, &names).check().map_err(|message| InvalidOptions {
            pointer: String::new(),
            message: format!("the records have a type that Parquet has not: {message}"),
            help: Some("leave the column out, or make a string of it with `select`".to_owned()),
        })?;
        let wanted = [reserved::RAW, reserved::TIME, reserved::SPLIT, reserved::POSITION];
        let paths = partitioner
            .fields()
            .map(|path| (path.clone(), DataType::Utf8View))
            .collect();
        Ok(Wants {
            kinds: Kinds::Inserts,
            reserved: segments::reserved(input, &wanted),
            paths,
            encoded: false,
        })
    }

    fn browse(&self) -> Option<&dyn Browse> {
        Some(&browse::Archived)
    }

    fn sink(&self, options: &Value, context: SinkContext) -> Result<Box<dyn Sink>, Failure> {
        let input = Arc::clone(&context.input);
        let (options, partitioner, names) = bind(options, &input).map_err(|error| Failure::fail(error.message))?;
        Ok(Box::new(sink::ParquetSink::new(
            options,
            partitioner,
            Columns::new(&input, &names),
            context,
        )?))
    }
}

#[cfg(test)]
mod tests;
