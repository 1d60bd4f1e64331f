//! What every request passes: it means this host, and it ends in time.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::problem::problem;

/// How long a request may take; planning looks at the world.
const DEADLINE: Duration = Duration::from_secs(60);

/// Refuses what names another host: a page in a browser whose name was made to resolve to this machine.
pub(super) async fn own_host(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    let origin = request
        .headers()
        .get(header::ORIGIN)
        .map(|origin| origin.to_str().unwrap_or("?"));
    let origin_host = origin.map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    if host.is_none_or(is_own) && origin_host.is_none_or(is_own) {
        return next.run(request).await;
    }
    problem(
        StatusCode::MISDIRECTED_REQUEST,
        "host",
        "this interface is for this machine only",
    )
    .help("use http://127.0.0.1 or http://localhost")
    .into_response()
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
