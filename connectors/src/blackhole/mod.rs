//! `blackhole`: counts rows and forgets them; for measuring what comes before it.
//!
//! It asks for every column, so that no plan prunes work away because nobody looks at the result. The count is part of
//! the state: after a recovery each row is counted once.

use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::sink::{Kinds, Wants};
use dataflow::contract::{
    Committable, Connector, Cut, Description, Example, Guarantee, InvalidOptions, Prepared, Sink, SinkConnector,
    SinkContext, SinkState, connector,
};
use dataflow::element::{columns, row_bytes};
use dataflow::time::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::segments;

/// The connector `blackhole`.
#[derive(Clone, Copy, Debug)]
pub struct Blackhole;

/// Counts the rows that reach it and forgets them.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Takes so many rows a second in each subtask, and holds up what comes before it: to see what a slow sink does.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0, "x-unit" = "rows/s"))]
    throughput: Option<f64>,
}

/// Nobody waits longer for one batch.
const LONGEST: Duration = Duration::from_secs(86_400);

const EXAMPLES: &[Example] = &[Example {
    title: "How fast a filter is",
    document: "datastreamName: filter-speed
contactName: eng-data
desiredState: ON
sources:
  - generator: { events: shop, count: 1000000 }
eventTypeFilters: [PURCHASE]
sinks:
  - blackhole: {}
",
}];

impl Connector for Blackhole {
    fn name(&self) -> &'static str {
        "blackhole"
    }

    fn describe(&self) -> Description {
        Description {
            summary: "counts rows and forgets them",
            guarantee: Some(Guarantee::ExactlyOnce),
            examples: EXAMPLES,
        }
    }

    fn sink(&self) -> Option<&dyn SinkConnector> {
        Some(self)
    }
}

/// `- blackhole:` with nothing behind it is as good as `blackhole: {}`.
fn read(options: &Value) -> Result<Options, InvalidOptions> {
    if options.is_null() {
        return Ok(Options::default());
    }
    let options: Options = connector::options(options)?;
    if options.throughput.is_some_and(|rows| !rows.is_finite() || rows <= 0.0) {
        return Err(InvalidOptions {
            pointer: "/throughput".to_owned(),
            message: "`throughput` must be greater than 0".to_owned(),
            help: None,
        });
    }
    Ok(options)
}

impl SinkConnector for Blackhole {
    fn schema(&self) -> Value {
        schemars::schema_for!(Options).to_value()
    }

    fn plan(&self, options: &Value, input: &SchemaRef) -> Result<Wants, InvalidOptions> {
        read(options)?;
        let all = [
            columns::RAW,
            columns::SPLIT,
            columns::POSITION,
            columns::TIME,
            columns::KIND,
        ];
        Ok(Wants {
            reserved: segments::reserved(input, &all),
            paths: Vec::new(),
            encoded: false,
            kinds: Kinds::Changes,
        })
    }

    fn sink(&self, options: &Value, context: SinkContext) -> Result<Box<dyn Sink>, Failure> {
        let options = read(options).map_err(|invalid| Failure::fail(invalid.message))?;
        let mut total = Total::default();
        for state in context.restored.iter().filter(|state| !state.0.is_null()) {
            let counted = Total::deserialize(&state.0);
            let counted = counted.map_err(|error| {
                Failure::fail("the state of a blackhole is not one that this version wrote").because(&error)
            })?;
            total.rows += counted.rows;
            total.bytes += counted.bytes;
        }
        Ok(Box::new(Counter {
            step: context.step,
            clock: context.clock,
            throughput: options.throughput,
            total,
            prepared: total,
        }))
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Total {
    rows: u64,
    bytes: u64,
}

impl Total {
    fn to_value(self) -> Value {
        serde_json::json!({ "rows": self.rows, "bytes": self.bytes })
    }
}

/// The blackhole of one subtask.
struct Counter {
    step: String,
    clock: Arc<dyn Clock>,
    throughput: Option<f64>,
    total: Total,
    /// What the last barrier saw.
    prepared: Total,
}

#[async_trait]
impl Sink for Counter {
    async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        if let Some(throughput) = self.throughput {
            let takes = Duration::try_from_secs_f64(batch.num_rows() as f64 / throughput);
            self.clock.sleep(takes.unwrap_or(LONGEST)).await;
        }
        self.total.rows += batch.num_rows() as u64;
        self.total.bytes += row_bytes(&batch) as u64;
        Ok(())
    }

    async fn prepare(&mut self, _: Cut) -> Result<Prepared, Failure> {
        let changed = self.total != std::mem::replace(&mut self.prepared, self.total);
        let state = if self.total == Total::default() {
            Value::Null
        } else {
            self.total.to_value()
        };
        let committables = changed
            .then(|| Committable(self.total.to_value()))
            .into_iter()
            .collect();
        Ok(Prepared {
            committables,
            state: SinkState(state),
        })
    }

    async fn commit(&mut self, committables: Vec<Committable>) -> Result<(), Failure> {
        // Totals, not differences: whichever is told last, or twice, the largest is right.
        if let Some(total) = committables
            .iter()
            .filter_map(|total| Total::deserialize(&total.0).ok())
            .max_by_key(|total| total.rows)
        {
            tracing::debug!(step = self.step, rows = total.rows, bytes = total.bytes, "rows counted");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
