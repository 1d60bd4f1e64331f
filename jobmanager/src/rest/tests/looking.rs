//! Rows and dead letters that are looked at: refused with their place, bounded, ended.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::{get, post, problem, serve, within};
use crate::tap::TAPS_MAX;
use crate::testing::Bench;

type Stream = BufReader<TcpStream>;

async fn tap(address: std::net::SocketAddr, query: &str) -> Stream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /v1/datastreams/orders/tap?{query} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    BufReader::new(connection)
}

/// The next event of this name.
async fn event(stream: &mut Stream, wanted: &str) -> Value {
    let reading = async {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            assert!(stream.read_line(&mut line).await.unwrap() > 0, "the stream has ended");
            if let Some(found) = line.strip_prefix("event: ") {
                name = found.trim().to_owned();
            }
            match line.strip_prefix("data: ") {
                Some(data) if name == wanted => return serde_json::from_str(data).unwrap(),
                _ => {}
            }
        }
    };
    within(20, reading).await.unwrap()
}

#[tokio::test]
async fn a_tap_is_opened_counted_and_ended_with_its_job() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    let mut open = tap(address, "step=events&seconds=100").await;
    let told = event(&mut open, "open").await;
    assert_eq!(
        (&told["step"], &told["vertex"], &told["seconds"]),
        (&"events".into(), &"vtx-0".into(), &100.into())
    );
    assert_eq!(event(&mut open, "count").await["passed"], 0);
    post(address, "/v1/datastreams/orders/cancel", "").await;
    assert_eq!(event(&mut open, "end").await["code"], "job");
    let (status, body) = get(address, "/v1/datastreams/orders/tap?step=events").await;
    assert_eq!((status, problem(&body).code.as_str()), (409, "over"));
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_refused_with_its_place() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    for (query, status, code, place) in [
        ("step=evnts", 422, "step", "step"),
        ("step=events&where=a%20%2B", 422, "condition", "where:"),
        ("step=events&where=lower(", 422, "condition", "where:"),
        ("step=events&seconds=many", 400, "query", "query"),
        ("where=true", 400, "query", "query"),
        ("step=events&more=1", 400, "query", "query"),
    ] {
        let (found, body) = get(address, &format!("/v1/datastreams/orders/tap?{query}")).await;
        let told = problem(&body);
        assert_eq!((found, told.code.as_str()), (status, code), "{query}: {body}");
        assert!(
            told.place.is_some_and(|found| found.starts_with(place)),
            "{query}: {body}"
        );
    }
    let (status, body) = get(address, "/v1/datastreams/nobody/tap?step=events").await;
    assert_eq!((status, problem(&body).code.as_str()), (404, "not-found"));
}

#[tokio::test]
async fn taps_are_few_and_one_that_is_left_makes_room() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    let mut open = Vec::new();
    for _ in 0..TAPS_MAX {
        let mut one = tap(address, "step=events").await;
        event(&mut one, "open").await;
        open.push(one);
    }
    let (status, body) = get(address, "/v1/datastreams/orders/tap?step=events").await;
    assert_eq!((status, problem(&body).code.as_str()), (503, "taps"));
    open.clear();
    let again = async {
        loop {
            let mut one = tap(address, "step=events").await;
            let mut line = String::new();
            one.read_line(&mut line).await.unwrap();
            if line.contains("200") {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within(20, again).await.unwrap();
}

#[tokio::test]
async fn a_datastream_without_a_place_for_dead_letters_says_so_and_none_is_found_there() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    let (status, body) = get(address, "/v1/datastreams/orders/dead-letters?limit=10").await;
    let page: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &page["kept"], &page["letters"]),
        (200, &false.into(), &Value::Array(Vec::new()))
    );
    let (status, body) = get(address, "/v1/datastreams/orders/dead-letters/a.jsonl:0").await;
    assert_eq!((status, problem(&body).code.as_str()), (404, "no-dead-letters"));
    let (status, body) = get(address, "/v1/datastreams/orders/findings").await;
    assert_eq!((status, body.starts_with('[')), (200, true));
}
