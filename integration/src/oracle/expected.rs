//! What the generator makes, without an engine around it.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Schema;
use dataflow::Scope;
use dataflow::contract::{Alignment, EnumeratorContext, Framing, Order, Polled, ReaderContext, SourceConnector, Waker};
use dataflow::element::columns;
use dataflow::store::{Error, Store, Stores};
use dataflow::time::SystemClock;
use serde_json::Value;

/// A generator needs no store.
struct NoStores;

impl Stores for NoStores {
    fn open(&self, url: &str) -> Result<Arc<dyn Store>, Error> {
        Err(Error::Refused {
            url: url.to_owned(),
            reason: "the oracle opens no stores".to_owned(),
        })
    }
}

/// Hands every record that the generator makes with `options` to `each`.
///
/// # Errors
/// When the options are not the generator's, or the stream does not end.
pub fn generated(options: &Value, each: &mut dyn FnMut(&[u8])) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let registry = connectors::registry();
    let generator = registry
        .connector("generator")
        .context("the registry lists a generator")?
        .clone();
    let source = generator.source().context("a generator is a source")?;
    let scope = Scope::root("oracle", runtime.handle().clone());
    runtime.block_on(drive(source, options, scope, each))
}

async fn drive(source: &dyn SourceConnector, options: &Value, scope: Scope, each: &mut dyn FnMut(&[u8])) -> Result<()> {
    let clock = Arc::new(SystemClock::start());
    let stores: Arc<dyn Stores> = Arc::new(NoStores);
    let context = EnumeratorContext {
        stores: stores.clone(),
        clock: clock.clone(),
        parallelism: 1,
        order: Order::Free,
    };
    let mut enumerator = source.enumerator(options, context, None)?;
    let splits = enumerator.discover().await?.splits;
    let context = ReaderContext {
        stores,
        clock,
        scope,
        waker: Waker::new(|| {}),
        output: Arc::new(Schema::new(vec![
            columns::raw(),
            columns::split(),
            columns::position(),
            columns::time(),
        ])),
        framing: Framing::Lines,
        buffer_bytes: 8 << 20,
        subtask: (0, 1),
        alignment: Alignment::Free,
    };
    let mut reader = source.reader(options, context)?;
    reader.assign(splits)?;
    reader.no_more_splits();
    loop {
        match reader.poll()? {
            Polled::Batch(batch) => {
                let raw = batch
                    .column_by_name(columns::RAW)
                    .context("records as bytes")?
                    .as_binary_view();
                (0..raw.len()).for_each(|row| each(raw.value(row)));
            }
            Polled::Finished(_) => {}
            Polled::End => return Ok(()),
            Polled::Wait => bail!("a generator without a throughput never waits"),
        }
    }
}
