//! Lines on an output that can be looked at.

use std::sync::Arc;

use dataflow::element::Roll;
use dataflow::store::open::{AllowPaths, OpenStores, S3};
use dataflow::testing::sink::{Rows, Subject, check_options};
use parking_lot::Mutex;

use super::*;
use crate::format::json::Json;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes nothing, like a pipe whose reader has gone.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn subject() -> Subject {
    Subject {
        connector: Arc::new(Stdout),
        options: serde_json::json!({}),
        format: Some((Arc::new(Json), Value::Null)),
        rows: Rows::Open,
        stores: Arc::new(OpenStores::new(AllowPaths::Only(Vec::new()), S3::default())),
        visible: Arc::new(|| Box::pin(async { Vec::new() })),
    }
}

#[test]
fn unknown_options_are_refused_and_none_are_fine() {
    check_options(&subject());
    assert!(Stdout.plan(&Value::Null, &subject().input()).unwrap().encoded);
}

#[tokio::test]
async fn each_record_is_a_line_as_it_comes() {
    let page = Page::default();
    let mut printer = Printer::new(Some(b"a header\n".to_vec()), page.clone());
    for row in 0..2 {
        printer.write(subject().batch(row..row + 1)).await.unwrap();
    }
    let text = String::from_utf8(page.0.lock().clone()).unwrap();
    assert_eq!(
        text,
        "a header\n{\"n\":0,\"eventType\":\"VIEW\"}\n{\"n\":1,\"eventType\":\"PURCHASE\"}\n"
    );
    assert_eq!(
        printer.prepare(Cut { roll: Roll::All }).await.unwrap(),
        Prepared::default()
    );
}

#[tokio::test]
async fn an_output_without_a_reader_ends_the_job() {
    let failure = Printer::new(None, Gone).write(subject().batch(0..1)).await.unwrap_err();
    assert_eq!(failure, Failure::fail("nobody reads standard output any more"));
}
