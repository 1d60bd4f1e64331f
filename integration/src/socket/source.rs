//! The source: what one connection sends, line by line. It reads ahead by a bounded number of chunks.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, DictionaryArray, Int32Array, StringArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::connector::options;
use dataflow::contract::{
    Discovery, Enumerator, EnumeratorContext, InvalidOptions, Polled, Progress, Reader, ReaderContext, Shape,
    SourceConnector, Split,
};
use dataflow::element::{BATCH_ROWS_MAX, columns};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::{Options, Socket, schema};

const CHUNK_BYTES: usize = 64 << 10;
const CHUNKS: usize = 16;
const SPLIT: &str = "socket";

#[async_trait]
impl SourceConnector for Socket {
    fn schema(&self) -> Value {
        schema()
    }

    fn plan(&self, given: &Value) -> Result<Shape, InvalidOptions> {
        options::<Options>(given).map(|_| Shape::Bytes)
    }

    fn enumerator(
        &self,
        _: &Value,
        _: EnumeratorContext,
        restored: Option<Value>,
    ) -> Result<Box<dyn Enumerator>, Failure> {
        Ok(Box::new(Once(restored.is_none())))
    }

    fn reader(&self, given: &Value, context: ReaderContext) -> Result<Box<dyn Reader>, Failure> {
        let options: Options = options(given).map_err(|error| Failure::fail("socket").because(&error))?;
        Ok(Box::new(Lines {
            port: options.port,
            context,
            held: None,
            rest: Vec::new(),
            position: 0,
            complete: false,
            bytes: 0,
        }))
    }
}

/// Gives the one split once.
struct Once(bool);

#[async_trait]
impl Enumerator for Once {
    async fn discover(&mut self) -> Result<Discovery, Failure> {
        let split = Split {
            id: SPLIT.to_owned(),
            spec: Value::Null,
            position: Value::Null,
        };
        let splits = std::mem::take(&mut self.0).then_some(split).into_iter().collect();
        Ok(Discovery {
            splits,
            ..Discovery::default()
        })
    }

    fn snapshot(&self) -> Value {
        json!({})
    }
}

struct Lines {
    port: u16,
    context: ReaderContext,
    held: Option<mpsc::Receiver<Result<Vec<u8>, Failure>>>,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    position: u64,
    complete: bool,
    bytes: u64,
}

impl Lines {
    fn connect(&mut self) {
        let (sender, receiver) = mpsc::channel(CHUNKS);
        let (port, waker) = (self.port, self.context.waker.clone());
        self.held = Some(receiver);
        self.context.scope.run(async move {
            let receive = async {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
                loop {
                    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
                    let read = stream.read_buf(&mut chunk).await?;
                    if read == 0 || sender.send(Ok(chunk)).await.is_err() {
                        return Ok::<_, std::io::Error>(());
                    }
                    waker.wake();
                }
            };
            if let Err(error) = receive.await {
                let failure = Failure::retry(format!("no lines come from port {port}")).because(&error);
                // Who does not listen any more has no use for the reason.
                let _ = sender.send(Err(failure)).await;
            }
            drop(sender);
            waker.wake();
        });
    }

    fn batch(&mut self, text: &[u8]) -> Result<RecordBatch, Failure> {
        let lines: Vec<&[u8]> = text
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
            .collect();
        let count = lines.len() as u64;
        let arrival = self.context.clock.wall().0;
        let column = |name: &str| -> Option<ArrayRef> {
            Some(match name {
                columns::RAW => Arc::new(BinaryViewArray::from_iter_values(&lines)),
                columns::POSITION => Arc::new(UInt64Array::from_iter_values(self.position..self.position + count)),
                columns::SPLIT => Arc::new(DictionaryArray::new(
                    Int32Array::from(vec![0; lines.len()]),
                    Arc::new(StringArray::from(vec![SPLIT])),
                )),
                columns::TIME => {
                    Arc::new(TimestampMillisecondArray::from_value(arrival, lines.len()).with_timezone("UTC"))
                }
                _ => return None,
            })
        };
        let output = &self.context.output;
        let made = output
            .fields()
            .iter()
            .map(|field| column(field.name()).ok_or_else(|| Failure::bug("an unknown column")));
        let made = made.collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(Arc::clone(output), made);
        self.position += count;
        batch.map_err(|error| Failure::bug("columns that are not as planned").because(&error))
    }
}

impl Reader for Lines {
    fn assign(&mut self, splits: Vec<Split>) -> Result<(), Failure> {
        if !splits.is_empty() {
            self.connect();
        }
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.complete = true;
    }

    fn poll(&mut self) -> Result<Polled, Failure> {
        let Some(receiver) = &mut self.held else {
            return Ok(if self.complete { Polled::End } else { Polled::Wait });
        };
        let mut text = std::mem::take(&mut self.rest);
        let mut over = false;
        let mut whole = None;
        // As much as there is: under load batches grow, which is what keeps up.
        while text.len() < BATCH_ROWS_MAX * 16 {
            match receiver.try_recv() {
                Ok(chunk) => text.extend_from_slice(&chunk?),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    over = true;
                    break;
                }
            }
        }
        if let Some(end) = memchr::memrchr(b'\n', &text) {
            self.rest = text.split_off(end + 1);
            whole = Some(text);
        } else {
            self.rest = text;
        }
        if let Some(text) = whole {
            self.bytes += text.len() as u64;
            return self.batch(&text).map(Polled::Batch);
        }
        if over {
            self.held = None;
            return Ok(Polled::Finished(SPLIT.to_owned()));
        }
        Ok(Polled::Wait)
    }

    fn snapshot(&self) -> Vec<Split> {
        let split = Split {
            id: SPLIT.to_owned(),
            spec: Value::Null,
            position: json!(self.position),
        };
        self.held.iter().map(|_| split.clone()).collect()
    }

    fn progress(&self) -> Progress {
        Progress { bytes_read: self.bytes }
    }
}
