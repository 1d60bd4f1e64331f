//! `stdout`: each record a line on standard output, as it comes.
//!
//! What a person has read cannot be taken back, so rows are not held until their commit: after a crash
//! some come again. Everything written before a checkpoint is flushed by it.

use std::io::{self, Write};

use arrow::record_batch::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::sink::Wants;
use dataflow::contract::{
    Committable, Connector, Cut, Description, Example, Guarantee, InvalidOptions, Lines, Prepared, Sink, SinkConnector,
    SinkContext, connector,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::offload::offload;
use crate::segments;

/// The connector `stdout`.
#[derive(Clone, Copy, Debug)]
pub struct Stdout;

/// Writes each record as a line to the standard output of the process that runs the sink.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Whether a stream of changes is taken: each line then says what a row was and what it has become.
    #[serde(default)]
    changelog: bool,
}

const EXAMPLES: &[Example] = &[Example {
    title: "Ten purchases on the terminal",
    document: "datastreamName: purchases-here
contactName: eng-data
desiredState: ON
sources:
  - generator: { events: shop, count: 100 }
eventTypeFilters: [PURCHASE]
sinks:
  - stdout: {}
",
}];

impl Connector for Stdout {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn describe(&self) -> Description {
        Description {
            summary: "lines on the terminal of `weir run`, or in the log of a task manager",
            guarantee: Some(Guarantee::AtLeastOnce),
            examples: EXAMPLES,
        }
    }

    fn sink(&self) -> Option<&dyn SinkConnector> {
        Some(self)
    }
}

/// `- stdout:` with nothing behind it is as good as `stdout: {}`.
fn read(options: &Value) -> Result<Options, InvalidOptions> {
    if options.is_null() {
        Ok(Options::default())
    } else {
        connector::options(options)
    }
}

impl SinkConnector for Stdout {
    fn schema(&self) -> Value {
        schemars::schema_for!(Options).to_value()
    }

    fn plan(&self, options: &Value, input: &SchemaRef) -> Result<Wants, InvalidOptions> {
        let options = read(options)?;
        Ok(segments::lines(input, options.changelog.into()))
    }

    fn sink(&self, _: &Value, context: SinkContext) -> Result<Box<dyn Sink>, Failure> {
        let header = context.encoding.and_then(|encoding| encoding.header);
        Ok(Box::new(Printer::new(header, io::stdout())))
    }
}

/// Prints rows to an output.
struct Printer<W> {
    /// Away while it prints on another thread.
    press: Option<Press<W>>,
}

/// The part that waits for the output.
struct Press<W> {
    /// Printed before the first line.
    header: Option<Vec<u8>>,
    out: W,
}

impl<W: Write> Press<W> {
    fn print(&mut self, lines: &[u8]) -> Result<(), Failure> {
        let header = self.header.take().unwrap_or_default();
        let printed = self.out.write_all(&header).and_then(|()| self.out.write_all(lines));
        printed.map_err(|error| closed(&error))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| closed(&error))
    }
}

fn closed(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::fail("nobody reads standard output any more"),
        _ => Failure::retry("standard output takes no more").because(error),
    }
}

impl<W> Printer<W> {
    fn new(header: Option<Vec<u8>>, out: W) -> Self {
        Self {
            press: Some(Press { header, out }),
        }
    }
}

impl<W: Write + Send + 'static> Printer<W> {
    async fn with(
        &mut self,
        work: impl FnOnce(&mut Press<W>) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let mut press = self
            .press
            .take()
            .ok_or_else(|| Failure::bug("a sink was written to after it failed"))?;
        let (press, outcome) = offload(move || {
            let outcome = work(&mut press);
            (press, outcome)
        })
        .await?;
        self.press = Some(press);
        outcome
    }
}

#[async_trait]
impl<W: Write + Send + 'static> Sink for Printer<W> {
    async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        let lines = Lines::take_bytes(batch).ok_or_else(|| Failure::bug("rows that were not encoded"))?;
        self.with(move |press| {
            press.print(&lines)?;
            press.flush()
        })
        .await
    }

    async fn prepare(&mut self, _: Cut) -> Result<Prepared, Failure> {
        self.with(Press::flush).await?;
        Ok(Prepared::default())
    }

    async fn commit(&mut self, _: Vec<Committable>) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
