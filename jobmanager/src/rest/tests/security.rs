//! What listens is not to be had by a page of somebody else, by a stranger's name, or by patience: SECURITY.md 5.1, 5.2.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{ask, ask_whole, get, post, problem, serve, within};
use crate::rest::routes::table;
use crate::testing::Bench;

#[tokio::test]
async fn a_body_without_end_and_a_foreign_host_are_refused() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    assert_eq!(post(address, "/v1/datastreams", &"x".repeat(5 << 20)).await.0, 413);
    for header in [
        "Host: evil.example\r\n",
        "Host: 127.0.0.1.evil.example\r\n",
        "Origin: http://evil.example\r\n",
    ] {
        let (status, body) = ask(address, "GET /v1/health", header, "").await;
        assert_eq!((status, problem(&body).code.as_str()), (421, "host"), "{header}");
    }
    for header in [
        "Host: localhost:1\r\n",
        "Host: [::1]:1\r\n",
        "Origin: http://127.0.0.1:8081\r\n",
    ] {
        assert_eq!(ask(address, "GET /v1/health", header, "").await.0, 200, "{header}");
    }
}

#[tokio::test]
async fn a_change_is_never_made_by_get_nor_for_another_page() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    let changes: Vec<_> = table().into_iter().filter(|route| route.tag == "actions").collect();
    assert!(changes.len() >= 6);
    for route in changes {
        assert_eq!(route.method, axum::http::Method::POST, "{}", route.path);
        let path = route.path.replace("{name}", "orders");
        // The list of datastreams is read by the path by which they are submitted.
        if path != "/v1/datastreams" {
            assert_eq!(get(address, &path).await.0, 405, "{path}");
        }
        for origin in ["http://127.0.0.1:1", "http://localhost", "null", "https://[::1]"] {
            let (status, body) = ask(address, &format!("POST {path}"), &format!("Origin: {origin}\r\n"), "").await;
            let code = problem(&body).code;
            assert!(
                matches!((status, code.as_str()), (403, "origin") | (421, "host")),
                "{path} {origin}: {status} {code}"
            );
        }
    }
    let ours = format!("Origin: http://{address}\r\n");
    assert_eq!(
        ask(address, "POST /v1/datastreams/orders/cancel", &ours, "").await.0,
        202
    );
}

#[tokio::test]
async fn every_answer_forbids_a_browser_what_it_must_not_do() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    for (path, status) in [
        ("/", 200),
        ("/ui/app.js", 200),
        ("/v1/datastreams", 200),
        ("/v1/openapi.json", 200),
        ("/metrics", 200),
        ("/v1/datastreams/%ff", 400),
        ("/nothing", 404),
    ] {
        let (found, head, _) = ask_whole(address, &format!("GET {path}"), "", "").await;
        let head = head.to_lowercase();
        assert_eq!(found, status, "{path}");
        for line in [
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "x-frame-options: deny",
            "content-security-policy: default-src 'none'",
            "frame-ancestors 'none'",
            "cache-control: no-",
        ] {
            assert!(head.contains(line), "{path}: {line} in {head}");
        }
        assert!(
            !head.contains("unsafe-inline") && !head.contains("access-control-allow"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_file_of_the_page_is_looked_up_in_a_list_and_no_path_leads_out_of_it() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    let (status, head, page) = ask_whole(address, "GET /", "", "").await;
    assert_eq!((status, head.contains("text/html")), (200, true));
    let page = String::from_utf8(page).unwrap();
    assert!(
        !page.contains("<script>") && !page.contains(" style=") && !page.contains("//"),
        "{page}"
    );
    for path in [
        "/ui/../Cargo.toml",
        "/ui/..%2fCargo.toml",
        "/ui/..%252f..%252fetc%252fpasswd",
        "/ui//etc/passwd",
        "/ui/app.js%00",
        "/ui/%ff",
        "/ui/",
    ] {
        let (status, body) = get(address, path).await;
        assert_eq!((status, problem(&body).code.as_str()), (404, "no-such-path"), "{path}");
    }
    let gzip = "Accept-Encoding: br, gzip\r\n";
    let (_, head, packed) = ask_whole(address, "GET /ui/app.js", gzip, "").await;
    assert!(
        head.contains("content-encoding: gzip") && packed.starts_with(&[0x1f, 0x8b]),
        "{head}"
    );
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let again = ask_whole(address, "GET /ui/app.js", &format!("If-None-Match: {tag}\r\n"), "").await;
    assert_eq!((again.0, again.2.len()), (304, 0));
}

#[tokio::test]
async fn a_request_in_disorder_is_a_problem_with_its_place() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    let json = "Content-Type: application/json\r\n";
    let deep = "[".repeat(100_000);
    for (request, headers, body, place, status) in [
        ("GET /v1/datastreams/%ff", "", "", "path", 400),
        ("GET /v1/datastreams?limit=many", "", "", "query", 400),
        ("GET /v1/datastreams/orders/logs?url=http://x", "", "", "query", 400),
        (
            "POST /v1/datastreams/orders/stop",
            json,
            "{\"drian\":true}",
            "body",
            422,
        ),
        ("POST /v1/datastreams/orders/rescale", json, deep.as_str(), "body", 422),
        ("POST /v1/datastreams/orders/rescale", "", "", "body", 415),
        ("DELETE /v1/cluster", "", "", "method", 405),
    ] {
        let (found, head, body) = ask_whole(address, request, headers, body).await;
        let problem = problem(&String::from_utf8(body).unwrap());
        assert_eq!(
            (found, problem.place.as_deref()),
            (status, Some(place)),
            "{request}: {problem:?}"
        );
        assert!(head.contains("application/problem+json"), "{head}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_refused_and_so_is_one_header_too_many() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    let large = format!("X-Large: {}\r\n", "x".repeat(64 << 10));
    assert_eq!(ask(address, "GET /v1/health", &large, "").await.0, 431);
    let many = "X-Many: x\r\n".repeat(100);
    assert_eq!(ask(address, "GET /v1/health", &many, "").await.0, 431);
}

#[tokio::test]
async fn who_connects_and_says_nothing_keeps_nobody_else_away() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    // Half a head.
    idle[0]
        .write_all(b"GET /v1/health HTTP/1.1\r\nHost: 127")
        .await
        .unwrap();
    assert_eq!(get(address, "/v1/health").await.0, 200);
    let mut rest = Vec::new();
    let closed = within(60, idle[0].read_to_end(&mut rest)).await;
    assert!(closed.is_some(), "a head that does not come is not waited for");
}

#[tokio::test]
async fn no_answer_names_the_folder_of_the_state() {
    let bench = Bench::start(&Arc::default()).await;
    let address = serve(&bench).await;
    post(address, "/v1/datastreams", "good").await;
    let state = bench.manager.cluster().identity().state.clone();
    assert!(!state.is_empty());
    for route in table().iter().filter(|route| route.method == axum::http::Method::GET) {
        if route.path.ends_with("/stream") {
            continue;
        }
        let path = route.path.replace("{name}", "orders").replace("{id}", "op-1");
        let (_, body) = get(address, &path).await;
        assert!(
            !body.contains("file://") && !body.contains(env!("CARGO_MANIFEST_DIR")),
            "{path}: {body}"
        );
    }
}
