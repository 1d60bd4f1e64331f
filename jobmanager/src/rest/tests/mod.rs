//! The interface as a client on a socket sees it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dataflow::time::{Clock as _, SystemClock};
use planner::logical::Places;
use planner::spec::Span;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

mod documents;
mod door;
mod live;
mod looking;
mod security;

use super::types::{Health, Problem, State, Submitted, Summary};
use crate::jobs::{Plan, Planned, Rejected, Written};
use crate::testing::{Bench, Fake, planned};

/// Knows two documents; everything else has a mistake in line 1.
struct OneDocument;

/// The document with another sink in place of `out`.
const OTHERWISE: &str = "datastreamName: orders
sources:
  - name: events
sinks:
  - name: elsewhere
";

fn otherwise(text: &str) -> Planned {
    let mut planned = planned(1);
    planned.graph.vertices[1].chain.nodes[0].name = "elsewhere".to_owned();
    let place = |word: &str| {
        let start = text.find(word).unwrap();
        Span::new(start, start + word.len())
    };
    let items = ["events", "elsewhere"].map(|name| (name.to_owned(), place(name)));
    planned.written = Arc::new(Written {
        file: "datastream.yaml".to_owned(),
        text: text.to_owned(),
        places: Places {
            name: place("orders"),
            items: items.into(),
        },
    });
    planned
}

#[async_trait]
impl Plan for OneDocument {
    async fn plan(&self, text: &str) -> Result<Vec<Planned>, Rejected> {
        match text {
            "good" => Ok(vec![planned(1)]),
            OTHERWISE => Ok(vec![otherwise(text)]),
            _ => Err(Rejected {
                diagnostics: json!([{ "code": "W001" }]),
                rendered: "error[W001]".to_owned(),
                summary: "1 mistake".to_owned(),
            }),
        }
    }

    async fn rescaled(&self, _text: &str, parallelism: u32) -> Result<Vec<Planned>, Rejected> {
        Ok(vec![planned(parallelism)])
    }
}

async fn serve(bench: &Bench) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    bench.manager.serve_rest(listener, Arc::new(OneDocument));
    address
}

async fn ask(address: SocketAddr, request: &str, headers: &str, body: &str) -> (u16, String) {
    let (status, _, body) = ask_whole(address, request, headers, body).await;
    (status, String::from_utf8(body).unwrap())
}

/// Status, head and body.
async fn ask_whole(address: SocketAddr, request: &str, headers: &str, body: &str) -> (u16, String, Vec<u8>) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let host = if headers.contains("Host:") {
        String::new()
    } else {
        format!("Host: {address}\r\n")
    };
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses early may close before it has read everything.
    let _ = connection.write_all(body.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, body)
}

/// What work gives in so many seconds, if it does.
async fn within<T>(seconds: u64, work: impl Future<Output = T>) -> Option<T> {
    let clock = SystemClock::start();
    tokio::select! {
        done = work => Some(done),
        () = clock.sleep(Duration::from_secs(seconds)) => None,
    }
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, &format!("GET {path}"), "", "").await
}

async fn post(address: SocketAddr, path: &str, body: &str) -> (u16, String) {
    ask(address, &format!("POST {path}"), "", body).await
}

fn problem(body: &str) -> Problem {
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn a_document_is_submitted_listed_described_and_cancelled() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    let (status, body) = post(address, "/v1/datastreams", "good").await;
    let submitted: Vec<Submitted> = serde_json::from_str(&body).unwrap();
    assert_eq!((status, submitted[0].job.as_str()), (201, "orders@1"));
    bench.until(|summary| summary.reason.is_some()).await;
    let (_, body) = get(address, "/v1/datastreams").await;
    let listed: Vec<Summary> = serde_json::from_str(&body).unwrap();
    assert_eq!(listed[0].state, State::Scheduling);
    let (status, body) = get(address, "/v1/datastreams/orders").await;
    let described: super::types::Datastream = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, described.vertices.len(), described.edges[0].partition.as_str()),
        (200, 2, "rebalance")
    );
    let (_, body) = get(address, "/v1/datastreams/orders/logs?after=0").await;
    assert!(body.contains("waits: needs 1 slot,"), "{body}");
    let (status, body) = post(address, "/v1/datastreams", "good").await;
    assert_eq!((status, problem(&body).code.as_str()), (409, "already-running"));
    assert_eq!(post(address, "/v1/datastreams/orders/cancel", "").await.0, 202);
    bench.until_state(State::Cancelled).await;
    let (status, body) = post(address, "/v1/datastreams/orders/stop", "").await;
    assert_eq!((status, problem(&body).code.as_str()), (409, "over"));
}

#[tokio::test]
async fn mistakes_come_back_as_problems_with_code_and_help() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    let (status, body) = post(address, "/v1/datastreams", "bad").await;
    let rejected = problem(&body);
    assert_eq!(
        (status, rejected.code.as_str(), rejected.detail.as_str()),
        (422, "diagnostics", "1 mistake")
    );
    assert_eq!(
        (
            rejected.diagnostics.unwrap()[0]["code"].clone(),
            rejected.rendered.unwrap().as_str()
        ),
        (json!("W001"), "error[W001]")
    );
    post(address, "/v1/datastreams", "good").await;
    let (status, body) = get(address, "/v1/datastreams/order").await;
    assert_eq!(
        (status, problem(&body).help.as_deref()),
        (404, Some("did you mean `orders`?"))
    );
    assert_eq!(get(address, "/v1/nonsense").await.0, 404);
    assert_eq!(ask(address, "DELETE /v1/cluster", "", "").await.0, 405);
    assert_eq!(post(address, "/v1/datastreams?fresh=perhaps", "good").await.0, 400);
    let stop = "Content-Type: application/json\r\n";
    assert_eq!(
        ask(address, "POST /v1/datastreams/orders/stop", stop, "{\"drian\":true}")
            .await
            .0,
        422
    );
}

#[tokio::test]
async fn a_change_that_is_refused_is_shown_in_the_document() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    let mut fake = Fake::join(&bench.manager, "tm-1", 1).await;
    fake.run().await;
    fake.checkpoint().await;
    post(address, "/v1/datastreams/orders/cancel", "").await;
    fake.go().await;
    bench.until_state(State::Cancelled).await;
    let (status, body) = post(address, "/v1/datastreams", OTHERWISE).await;
    let refused = problem(&body);
    assert_eq!((status, refused.code.as_str()), (409, "incompatible"), "{body}");
    let findings = refused.diagnostics.unwrap()["findings"].clone();
    assert_eq!(findings.as_array().map(Vec::len), Some(1), "{findings}");
    let (code, place) = (&findings[0]["code"], &findings[0]["place"]);
    assert_eq!(
        (code, &place["line"], &place["column"]),
        (&json!("E0702"), &json!(1), &json!(17))
    );
    let rendered = refused.rendered.unwrap();
    assert!(
        rendered.contains("error[E0702]") && rendered.contains("datastream.yaml:1:17"),
        "{rendered}"
    );
    // What no word of the document is the reason of has no place.
    let refused = problem(&post(address, "/v1/datastreams?fromSavepoint=none", OTHERWISE).await.1);
    assert_eq!((refused.code.as_str(), refused.diagnostics), ("savepoint", None));
}

#[tokio::test]
async fn health_says_which_process_leads_and_metrics_are_text() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    let health: Health = serde_json::from_str(&get(address, "/v1/health").await.1).unwrap();
    assert_eq!(
        (health.term, &health.incarnation),
        (1, &bench.manager.cluster().identity().incarnation)
    );
    let cluster: Value = serde_json::from_str(&get(address, "/v1/cluster").await.1).unwrap();
    assert_eq!(cluster["slotsFree"], 0);
    post(address, "/v1/datastreams", "good").await;
    let (_, metrics) = get(address, "/metrics").await;
    assert!(
        metrics.contains("weir_datastream_state{datastream=\"orders\",state=\"running\"} 0"),
        "{metrics}"
    );
}
