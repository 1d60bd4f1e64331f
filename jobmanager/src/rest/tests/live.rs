//! What changes from second to second: streams, pages of lists, the series.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::{OneDocument, ask_whole, get, post, problem, serve, within};
use crate::rest::stream::Topic;
use crate::rest::types::Series;
use crate::rest::{Api, Streams};
use crate::testing::Bench;

/// Opens a stream of events.
async fn listen(address: std::net::SocketAddr, path: &str) -> BufReader<TcpStream> {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    BufReader::new(connection)
}

/// The next view of a stream.
async fn view(stream: &mut BufReader<TcpStream>) -> Value {
    let reading = async {
        let mut event = String::new();
        loop {
            let mut line = String::new();
            assert!(stream.read_line(&mut line).await.unwrap() > 0, "the stream has ended");
            match line.strip_prefix("data: ") {
                Some(data) if event == "view" => return serde_json::from_str(data).unwrap(),
                _ => {}
            }
            if let Some(name) = line.strip_prefix("event: ") {
                event = name.trim().to_owned();
            }
        }
    };
    within(20, reading).await.unwrap()
}

#[tokio::test]
async fn a_stream_gives_the_whole_view_first_and_again_when_it_has_changed() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    let mut overview = listen(address, "/v1/stream").await;
    assert_eq!(view(&mut overview).await["datastreams"].as_array().unwrap().len(), 0);
    post(address, "/v1/datastreams", "good").await;
    while view(&mut overview).await["datastreams"][0]["name"] != "orders" {}
    let mut one = listen(address, "/v1/datastreams/orders/stream").await;
    let first = view(&mut one).await;
    assert_eq!(
        (
            &first["datastream"]["document"],
            first["datastream"]["vertices"].as_array().unwrap().len()
        ),
        (&Value::String(String::new()), 2)
    );
    assert_eq!(
        get(address, "/v1/datastreams/orders/document").await.1,
        "datastreamName: orders"
    );
    post(address, "/v1/datastreams/orders/cancel", "").await;
    while view(&mut one).await["datastream"]["summary"]["state"] != "cancelled" {}
    let (status, body) = get(address, "/v1/datastreams/nobody/stream").await;
    assert_eq!((status, problem(&body).code.as_str()), (404, "not-found"));
}

#[tokio::test]
async fn nothing_is_made_for_nobody_and_listeners_are_bounded() {
    let bench = Bench::start(&Arc::default()).await;
    let clock: Arc<dyn dataflow::time::Clock> = Arc::new(dataflow::time::SystemClock::start());
    let streams = Streams::new(&bench.scope, clock.clone());
    let api = Api {
        jobs: bench.manager.jobs().clone(),
        cluster: bench.manager.cluster().clone(),
        plan: Arc::new(OneDocument),
        streams: streams.clone(),
        clock,
        metrics: bench.manager.metrics.clone(),
    };
    let listen = || streams.clone().listen(Topic::Overview, api.clone());
    let mut listeners = Vec::new();
    let full = loop {
        match listen() {
            Ok(listener) => listeners.push(listener),
            Err(full) => break full,
        }
    };
    assert_eq!((full.status, listeners.len(), streams.count()), (503, 64, 1));
    listeners.clear();
    let gone = async {
        while streams.count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within(20, gone).await.unwrap();
    assert!(listen().is_ok(), "there is room again");
}

#[tokio::test]
async fn a_list_is_had_in_parts_and_a_series_has_columns_of_one_length() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    let (_, head, _) = ask_whole(address, "GET /v1/datastreams?limit=1", "", "").await;
    assert!(!head.contains("link:"), "there is no more: {head}");
    let behind: Vec<Value> = serde_json::from_str(&get(address, "/v1/datastreams?after=orders").await.1).unwrap();
    assert_eq!(behind.len(), 0);
    bench.until(|summary| summary.reason.is_some()).await;
    let (_, body) = get(address, "/v1/datastreams/orders/series").await;
    let series: Series = serde_json::from_str(&body).unwrap();
    assert!(!series.at_ms.is_empty());
    assert_eq!(series.at_ms.len(), series.backpressured.len());
    let (_, body) = get(address, "/v1/datastreams/orders/logs?limit=1").await;
    let lines: Vec<Value> = serde_json::from_str(&body).unwrap();
    assert_eq!(lines.len(), 1);
}
