//! What every request passes: it means this host, and it ends in time.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::problem::problem;

/// How long a request may take; planning looks at the world.
const DEADLINE: Duration = Duration::from_secs(60);

/// Refuses what names another host: a page in a browser whose name was made to resolve to this machine. What changes
/// something is refused from every other page as well, be it of another port of this machine.
pub(super) async fn own_host(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    let origin = request
        .headers()
        .get(header::ORIGIN)
        .map(|origin| origin.to_str().unwrap_or("?"));
    let origin_host = origin.map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    for (place, named) in [("header Host", host), ("header Origin", origin_host)] {
        if !named.is_none_or(is_own) {
            let text = "this interface is for this machine only";
            return problem(StatusCode::MISDIRECTED_REQUEST, "host", text)
                .place(place)
                .help("use http://127.0.0.1 or http://localhost")
                .into_response();
        }
    }
    let is_ours = origin_host.is_none_or(|origin| host == Some(origin));
    if !request.method().is_safe() && !is_ours {
        let text = "another page asks for a change here, in the name of whoever has it open";
        return problem(StatusCode::FORBIDDEN, "origin", text)
            .place("header Origin")
            .help("use the page that this job manager serves, or the command line")
            .into_response();
    }
    next.run(request).await
}

/// What a browser must not do with an answer, whatever it is.
pub(super) async fn manners(request: Request, next: Next) -> Response {
    const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What is not the page runs nothing, and is as it is now only now.
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, NOTHING),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether a host, with or without a port, is this machine by a name that nobody else can give out.
fn is_own(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    matches!(name, "localhost" | "[::1]")
        || name
            .parse()
            .is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback())
}

/// Answers in time, whatever happens behind it.
pub(super) async fn deadline(State(api): State<Api>, request: Request, next: Next) -> Response {
    tokio::select! {
        response = next.run(request) => response,
        () = api.clock.sleep(DEADLINE) => problem(StatusCode::GATEWAY_TIMEOUT, "timeout", "this took too long")
            .help("look with `weir list` whether it was done after all")
            .into_response(),
    }
}
