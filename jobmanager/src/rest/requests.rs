//! How many requests were answered, and how long that took, by the pattern of their path: never by what is in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, map_response};
use axum::response::Response;
use axum::routing::MethodRouter;
use dataflow::metric::{Histogram, Page, REST_DURATION, REST_REQUESTS};
use dataflow::trace::{self, Context};
use dataflow::traced;
use parking_lot::Mutex;
use tracing::Instrument as _;
use tracing::field::Empty;

use super::Api;

/// Upper bounds of durations, in seconds.
const BOUNDS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];
/// What has no route: what is not there, and what was refused at the door.
const NOWHERE: &str = "(none)";

/// The route that an answer came from.
#[derive(Clone, Copy)]
struct Route(&'static str);

/// What was answered so far. The routes are fixed, and so is the number of what is kept.
#[derive(Debug, Default)]
pub struct Requests {
    counts: Mutex<BTreeMap<(&'static str, &'static str, u16), u64>>,
    durations: Mutex<BTreeMap<&'static str, Arc<Histogram>>>,
}

impl Requests {
    fn count(&self, route: &'static str, method: &Method, (status, took): (StatusCode, Duration)) {
        let method = match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            Method::HEAD => "HEAD",
            // Anybody may make up another one.
            _ => "other",
        };
        *self.counts.lock().entry((route, method, status.as_u16())).or_default() += 1;
        let histogram = Arc::clone(
            self.durations
                .lock()
                .entry(route)
                .or_insert_with(|| Arc::new(Histogram::new(BOUNDS))),
        );
        histogram.observe(took);
    }

    /// Adds all of it.
    pub(crate) fn show(&self, page: &mut Page) {
        for ((route, method, status), count) in &*self.counts.lock() {
            let status = status.to_string();
            page.count(REST_REQUESTS, &[*route, *method, status.as_str()], *count);
        }
        for (route, histogram) in &*self.durations.lock() {
            page.buckets(REST_DURATION, &[route], histogram.buckets());
        }
    }
}

/// Marks what a route answers.
pub(super) fn named(route: &'static str, handler: MethodRouter<Api>) -> MethodRouter<Api> {
    handler.layer(map_response(move |mut response: Response| async move {
        response.extensions_mut().insert(Route(route));
        response
    }))
}

/// Marks what several routes answer that are counted as one.
pub(super) fn all_named(route: &'static str, router: axum::Router<Api>) -> axum::Router<Api> {
    router.layer(map_response(move |mut response: Response| async move {
        response.extensions_mut().insert(Route(route));
        response
    }))
}

fn route(response: &Response) -> &'static str {
    response.extensions().get().map_or(NOWHERE, |Route(route)| route)
}

async fn within_its_trace(request: Request, next: Next) -> Response {
    let named = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let asked: Option<Context> = named.and_then(|text| text.parse().ok());
    let traced = traced!(
        asked,
        "request",
        otel.kind = "server",
        http.request.method = request.method().as_str(),
        http.route = Empty,
        http.response.status_code = Empty
    );
    let work = trace::within(traced.context(), next.run(request));
    let response = work.instrument(traced.span()).await;
    traced.say("http.route", route(&response));
    traced.say("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        traced.fail(response.status());
    }
    response
}

/// Counts what passes, up to the head of its answer. What changes something is a part of the trace that its head names.
pub(super) async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (method, begun) = (request.method().clone(), api.clock.now());
    let response = match method.is_safe() {
        true => next.run(request).await,
        false => within_its_trace(request, next).await,
    };
    let route = route(&response);
    let took = api.clock.now().since(begun);
    api.metrics.requests.count(route, &method, (response.status(), took));
    response
}
