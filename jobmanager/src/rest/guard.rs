//! What every request passes: it means this host, somebody is known to ask, and it ends in time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;

use super::Api;
use super::problem::problem;
use crate::access::{Access, Caller, Role, Verdict};

/// The target of the log lines that say who was let in to change something, and who was not let in.
const AUDIT: &str = "weir::audit";

/// How long a stream of events lasts where somebody had to show a token.
const LISTENS: Duration = Duration::from_secs(50);

/// How long a request may take; planning looks at the world.
const DEADLINE: Duration = Duration::from_secs(60);

/// Refuses what names another host: a page in a browser whose name was made to resolve to this machine. What changes
/// something is refused from every other page as well, be it of another port of this machine.
pub(super) async fn own_host(State(access): State<Access>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    let origin = request
        .headers()
        .get(header::ORIGIN)
        .map(|origin| origin.to_str().unwrap_or("?"));
    let origin_host = origin.map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    for (place, named) in [("header Host", host), ("header Origin", origin_host)] {
        if !named.is_none_or(|host| is_own(host) || access.is_named(name_of(host))) {
            let text = "this interface is not asked for by that name";
            return problem(StatusCode::MISDIRECTED_REQUEST, "host", text)
                .place(place)
                .help(
                    "use http://127.0.0.1 or http://localhost, or a name that `--allow-host` of the job manager gives",
                )
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

/// What is asked for without a token: the files of the page, which hold nothing and let somebody type one, and whether the
/// process lives, which other job managers ask before they take over.
fn is_for_everybody(path: &str) -> bool {
    matches!(path, "/" | "/v1/health") || path.starts_with("/ui/")
}

/// Lets in whoever is known, for what they may do.
pub(super) async fn admitted(State(access): State<Access>, request: Request, next: Next) -> Response {
    if is_for_everybody(request.uri().path()) && request.method().is_safe() {
        return next.run(request).await;
    }
    let caller = request.extensions().get::<Caller>().copied();
    let needed = if request.method().is_safe() {
        Role::Read
    } else {
        Role::Write
    };
    let verdict = access.admit(
        caller,
        request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes),
        needed,
    );
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let refused = match verdict {
        Verdict::Admitted => {
            if needed == Role::Write && !access.is_open() {
                tracing::info!(target: AUDIT, address = ?caller.map(|caller| caller.address), %method, path, "admitted");
            }
            return until_asked_again(&access, next.run(request).await);
        }
        Verdict::Stranger => {
            let text = "it is not known who asks";
            let mut response = problem(StatusCode::UNAUTHORIZED, "no-token", text)
                .place("header Authorization")
                .help("send `Authorization: Bearer TOKEN`; the command line takes `--token-file` or WEIR_TOKEN_FILE")
                .into_response();
            let challenge = HeaderValue::from_static("Bearer realm=\"weir\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            response
        }
        Verdict::MayOnlyRead => problem(
            StatusCode::FORBIDDEN,
            "read-only",
            "this token may look, and change nothing",
        )
        .place("header Authorization")
        .help("use a token of the job manager's `--token-file`")
        .into_response(),
        Verdict::Slow(wait) => {
            let text = "too many wrong tokens came from this address";
            let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "guessing", text)
                .help(format!("try again in {} s", wait.as_secs() + 1))
                .into_response();
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            response
        }
    };
    let status = refused.status().as_u16();
    tracing::warn!(target: AUDIT, address = ?caller.map(|caller| caller.address), %method, path, status, "refused");
    refused
}

/// A stream of events ends after a while: whoever listens asks again, with a token that still counts.
fn until_asked_again(access: &Access, response: Response) -> Response {
    let events = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/event-stream");
    if access.is_open() || !response.headers().get(header::CONTENT_TYPE).is_some_and(events) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let clock = access.clock().clone();
    let end = Box::pin(async move { clock.sleep(LISTENS).await });
    Response::from_parts(parts, Body::from_stream(body.into_data_stream().take_until(end)))
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

/// Whether a host, with or without a port, is this machine by a name that nobody else can give out.
fn is_own(host: &str) -> bool {
    let name = name_of(host);
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
