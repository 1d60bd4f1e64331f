//! The sink: of each row that is new or has changed, when its newest event was sent.

use std::io::Write as _;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int8Type, Int64Type};
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::connector::options;
use dataflow::contract::sink::Wants;
use dataflow::contract::{Committable, Cut, InvalidOptions, Kinds, Prepared, Sink, SinkConnector, SinkContext};
use dataflow::element::columns;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Options, Socket, schema};

const SENT: &str = "sent";

impl SinkConnector for Socket {
    fn schema(&self) -> Value {
        schema()
    }

    fn plan(&self, given: &Value, input: &SchemaRef) -> Result<Wants, InvalidOptions> {
        options::<Options>(given)?;
        let there = input.column_with_name(columns::KIND).is_some();
        Ok(Wants {
            reserved: there.then(|| columns::KIND.to_owned()).into_iter().collect(),
            kinds: Kinds::Changes,
            ..Wants::default()
        })
    }

    fn sink(&self, given: &Value, _: SinkContext) -> Result<Box<dyn Sink>, Failure> {
        let options: Options = options(given).map_err(|error| Failure::fail("socket").because(&error))?;
        Ok(Box::new(Sender {
            port: options.port,
            stream: None,
        }))
    }
}

struct Sender {
    port: u16,
    stream: Option<TcpStream>,
}

impl Sender {
    async fn send(&mut self, text: &[u8]) -> std::io::Result<()> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        match &mut self.stream {
            Some(stream) => stream.write_all(text).await,
            None => Ok(()),
        }
    }
}

/// The lines for the rows of a batch.
fn lines(batch: &RecordBatch) -> Result<Vec<u8>, Failure> {
    let sent = batch
        .column_by_name(SENT)
        .and_then(|sent| sent.as_primitive_opt::<Int64Type>());
    let sent = sent.ok_or_else(|| Failure::fail("the socket's rows need an int64 `sent`"))?;
    let kinds = batch
        .column_by_name(columns::KIND)
        .and_then(|kinds| kinds.as_primitive_opt::<Int8Type>());
    let mut text = Vec::with_capacity(batch.num_rows() * 28);
    for (row, sent) in sent.values().iter().enumerate() {
        if kinds.is_none_or(|kinds| kinds.value(row) != columns::BEFORE) {
            writeln!(text, "{{\"sent\":{sent}}}").map_err(|error| Failure::bug("no memory").because(&error))?;
        }
    }
    Ok(text)
}

#[async_trait]
impl Sink for Sender {
    async fn write(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        let text = lines(&batch)?;
        let sent = self.send(&text).await;
        sent.map_err(|error| Failure::retry(format!("port {} takes no more", self.port)).because(&error))
    }

    async fn prepare(&mut self, _: Cut) -> Result<Prepared, Failure> {
        Ok(Prepared::default())
    }

    async fn commit(&mut self, _: Vec<Committable>) -> Result<(), Failure> {
        Ok(())
    }
}
