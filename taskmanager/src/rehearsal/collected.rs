//! What stands in a sink's place: keeps the lines that it is handed, in the order in which they came.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::sink::Wants;
use dataflow::contract::{
    Committable, Connector, Cut, Description, InvalidOptions, Prepared, Sink, SinkConnector, SinkContext,
};
use dataflow::element::columns;
use parking_lot::Mutex;
use serde_json::Value;

/// The connector's name, which no document can write.
pub(super) const NAME: &str = "$collected";

/// The rows that all subtasks of one sink were handed.
#[derive(Clone, Debug, Default)]
pub(super) struct Collected(Arc<Mutex<Rows>>);

#[derive(Debug, Default)]
struct Rows {
    waiting: Vec<Value>,
    /// Those that were taken too.
    count: u64,
}

impl Collected {
    /// All of them, which are forgotten.
    pub(super) fn take(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().waiting)
    }

    /// How many have come, those that were taken among them.
    pub(super) fn count(&self) -> u64 {
        self.0.lock().count
    }
}

/// The connector of these sinks, which are its options.
pub(super) fn connector(sinks: &BTreeMap<String, Collected>) -> Arc<dyn Connector> {
    Arc::new(StandIn(sinks.clone()))
}

struct StandIn(BTreeMap<String, Collected>);

impl Connector for StandIn {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> Description {
        Description {
            summary: "Keeps the rows of a test.",
            guarantee: None,
            examples: &[],
        }
    }

    fn sink(&self) -> Option<&dyn SinkConnector> {
        Some(self)
    }
}

impl SinkConnector for StandIn {
    fn schema(&self) -> Value {
        Value::Bool(true)
    }

    fn plan(&self, _: &Value, _: &SchemaRef) -> Result<Wants, InvalidOptions> {
        Ok(Wants::default())
    }

    fn sink(&self, options: &Value, _: SinkContext) -> Result<Box<dyn Sink>, Failure> {
        let collected = options.as_str().and_then(|name| self.0.get(name)).cloned();
        let collected = collected.ok_or_else(|| Failure::bug(format!("nobody wants the rows of {options}")))?;
        Ok(Box::new(CollectingSink(collected)))
    }
}

struct CollectingSink(Collected);

#[async_trait]
impl Sink for CollectingSink {
    async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        let lines = batch.column_by_name(columns::LINE);
        let lines = lines.and_then(|lines| lines.as_binary_opt::<i64>());
        let lines = lines.ok_or_else(|| Failure::bug("rows of a rehearsal that are no lines"))?;
        let mut rows = self.0.0.lock();
        rows.count += batch.num_rows() as u64;
        rows.waiting
            .extend(lines.iter().map(|line| row(line.unwrap_or_default())));
        Ok(())
    }

    async fn prepare(&mut self, _: Cut) -> Result<Prepared, Failure> {
        Ok(Prepared::default())
    }

    async fn commit(&mut self, _: Vec<Committable>) -> Result<(), Failure> {
        Ok(())
    }
}

/// A line as JSON where it is that, else as text without its end.
fn row(line: &[u8]) -> Value {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    serde_json::from_slice(line).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(line).into_owned()))
}
