//! What a job manager answers where it listens beyond its machine: SECURITY.md 5.2 R1, R2, R10, R14, R17, S1.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dataflow::time::{Clock, ManualClock, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{OneDocument, ask, ask_whole, problem, within};
use crate::access::{Access, Role, Terms, Tokens};
use crate::rest::routes::table;
use crate::testing::Bench;

const WRITE: &str = "Authorization: Bearer write-canary-0123456789\r\n";
const READ: &str = "Authorization: Bearer read-canary-0123456789\r\n";

fn access(clock: Arc<dyn Clock>, hosts: &[&str]) -> Access {
    let given = vec![
        ("write-canary-0123456789".to_owned(), Role::Write),
        ("read-canary-0123456789".to_owned(), Role::Read),
    ];
    let terms = Terms {
        tokens: Some(Tokens::of(Vec::new(), given).unwrap()),
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        ..Terms::default()
    };
    Access::new(terms, clock)
}

async fn serve(bench: &Bench, access: &Access) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    bench
        .manager
        .serve_rest_to(listener, Arc::new(OneDocument), access, None);
    address
}

/// Every path of ours, and those of Flink's API.
fn paths() -> Vec<(String, String)> {
    let ours = table()
        .into_iter()
        .map(|route| (route.method.to_string(), route.path.to_owned()));
    let flinks = [
        "/overview",
        "/config",
        "/jobs",
        "/jobs/overview",
        "/jobs/x",
        "/jobs/x/plan",
        "/jobs/x/checkpoints",
        "/jobs/x/exceptions",
        "/jobs/x/vertices/y",
        "/taskmanagers",
        "/jobmanager/config",
        "/v1/overview",
        "/v1/jobs",
    ];
    let flinks = flinks.iter().map(|path| ("GET".to_owned(), (*path).to_owned()));
    let acts = ["/jobs/x/savepoints", "/jobs/x/stop", "/v1/jobs/x/stop"];
    let acts = acts.iter().map(|path| ("POST".to_owned(), (*path).to_owned()));
    let others = [
        ("PATCH", "/jobs/x"),
        ("GET", "/nothing"),
        ("DELETE", "/v1/cluster"),
        ("GET", "/v1/../etc/passwd"),
    ];
    let others = others
        .iter()
        .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    let all = ours.chain(flinks).chain(acts).chain(others);
    let named = |path: String| {
        let path = path.replace("{name}", "orders").replace("{id}", "op-1");
        path.replace("{number}", "0")
            .replace("{to}", "1")
            .replace("{from}", "0")
            .replace("{step}", "s")
    };
    all.map(|(method, path)| (method, named(path))).collect()
}

#[tokio::test]
async fn no_path_is_answered_without_a_token_but_that_it_lives_and_where_one_is_typed() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench, &access(Arc::new(SystemClock::start()), &[])).await;
    let all = paths();
    assert!(all.len() > 30);
    for (method, path) in all {
        let (status, head, body) = ask_whole(address, &format!("{method} {path}"), "", "").await;
        if path == "/v1/health" {
            assert_eq!(status, 200, "{path}");
            continue;
        }
        let body = String::from_utf8(body).unwrap();
        assert_eq!(
            (status, problem(&body).code.as_str()),
            (401, "no-token"),
            "{method} {path}"
        );
        assert!(head.contains("www-authenticate: Bearer"), "{head}");
    }
    for path in ["/", "/ui/app.js", "/ui/login.js", "/v1/health"] {
        assert_eq!(ask(address, &format!("GET {path}"), "", "").await.0, 200, "{path}");
        assert_ne!(ask(address, &format!("POST {path}"), "", "").await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn a_token_that_may_look_changes_nothing() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench, &access(Arc::new(SystemClock::start()), &[])).await;
    assert_eq!(ask(address, "POST /v1/datastreams", WRITE, "good").await.0, 201);
    for (method, path) in paths() {
        if path.ends_with("/stream") {
            continue;
        }
        let (status, body) = ask(address, &format!("{method} {path}"), READ, "").await;
        match method.as_str() {
            "GET" => assert!(![401, 403].contains(&status), "{path}: {status}"),
            _ => assert_eq!(
                (status, problem(&body).code.as_str()),
                (403, "read-only"),
                "{method} {path}"
            ),
        }
    }
    let state = bench.jobs().summary("orders").unwrap().state;
    assert!(!state.is_over(), "{state}");
    assert_eq!(
        ask(address, "POST /v1/datastreams/orders/cancel", WRITE, "").await.0,
        202
    );
}

#[tokio::test]
async fn guesses_are_slowed_down() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench, &access(Arc::new(SystemClock::start()), &[])).await;
    let mut last = (0, String::new());
    for number in 0..21 {
        let header = format!("Authorization: Bearer guess-{number:016}\r\n");
        let (status, head, _) = ask_whole(address, "GET /v1/cluster", &header, "").await;
        last = (status, head);
    }
    assert_eq!(last.0, 429);
    assert!(last.1.contains("retry-after: "), "{}", last.1);
}

#[tokio::test]
async fn a_stream_ends_after_a_while_that_a_token_is_shown_again() {
    let bench = Bench::start(&Arc::default()).await;
    let clock = ManualClock::new();
    let address = serve(&bench, &access(Arc::new(clock.clone()), &[])).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /v1/stream HTTP/1.1\r\nHost: {address}\r\n{READ}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    let first = async {
        while !String::from_utf8_lossy(&heard).contains("event: view") {
            assert!(stream.read_buf(&mut heard).await.unwrap() > 0);
        }
    };
    within(20, first).await.unwrap();
    clock.advance(Duration::from_secs(51));
    within(20, stream.read_to_end(&mut heard)).await.unwrap().unwrap();
    assert!(heard.ends_with(b"0\r\n\r\n"), "it ends in peace");
}

#[tokio::test]
async fn a_name_that_was_given_is_ours_and_its_page_may_change_something() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench, &access(Arc::new(SystemClock::start()), &["weir.example"])).await;
    for (headers, wanted) in [
        ("Host: weir.example\r\n", 200),
        ("Host: WEIR.example:7080\r\n", 200),
        ("Host: weir.example.evil\r\n", 421),
        ("Host: evil.weir.example\r\n", 421),
    ] {
        let (status, _) = ask(address, "GET /v1/cluster", &format!("{headers}{READ}"), "").await;
        assert_eq!(status, wanted, "{headers}");
    }
    let ours = format!("Host: weir.example\r\nOrigin: https://weir.example\r\n{WRITE}");
    assert_eq!(ask(address, "POST /v1/datastreams", &ours, "good").await.0, 201);
    let theirs = format!("Host: weir.example\r\nOrigin: https://localhost\r\n{WRITE}");
    assert_eq!(
        ask(address, "POST /v1/datastreams/orders/cancel", &theirs, "").await.0,
        403
    );
}

#[tokio::test]
async fn no_answer_holds_a_token_and_none_gives_another_page_a_right() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench, &access(Arc::new(SystemClock::start()), &[])).await;
    ask(address, "POST /v1/datastreams", WRITE, "good").await;
    for (method, path) in paths() {
        if path.ends_with("/stream") || method != "GET" {
            continue;
        }
        let headers = format!("{WRITE}Origin: http://{address}\r\n");
        let (_, head, body) = ask_whole(address, &format!("GET {path}"), &headers, "").await;
        let body = String::from_utf8_lossy(&body);
        assert!(!body.contains("canary") && !head.contains("canary"), "{path}");
        assert!(
            !head.contains("set-cookie") && !head.contains("access-control"),
            "{head}"
        );
    }
}
