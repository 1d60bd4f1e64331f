//! What is asked and changes nothing.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;

use crate::job::LagAsked;
use crate::rest::Api;
use crate::rest::asked::{After, LIMIT_MAX, LagOf, Named, Options, Page};
use crate::rest::problem::problem;
use crate::rest::stream::Topic;
use crate::rest::types::{
    Cluster, Datastream, Health, Lag, LogLine, Operation, Overview, Problem, Series, Summary, Target,
};

/// So many minutes are shown to whoever does not say how many.
const MINUTES_SHOWN: usize = 60;
/// There are no more.
const MINUTES_MAX: usize = 180;

type Answer<T> = Result<Json<T>, Problem>;

pub(crate) async fn list(
    State(api): State<Api>,
    Options(page): Options<Page>,
) -> Result<(HeaderMap, Json<Vec<Summary>>), Problem> {
    let mut all = api.jobs.list();
    if let Some(after) = &page.after {
        all.retain(|one| one.name.as_str() > after.as_str());
    }
    let mut headers = HeaderMap::new();
    if let Some(limit) = page.limit {
        let limit = limit.get().min(LIMIT_MAX);
        let more = all.len() > limit;
        all.truncate(limit);
        if let Some(last) = all.last().filter(|_| more) {
            // A name is of letters, digits, `-` and `_`: it needs no escapes.
            let next = format!("</v1/datastreams?after={}&limit={limit}>; rel=\"next\"", last.name);
            headers.extend(HeaderValue::from_str(&next).ok().map(|next| (header::LINK, next)));
        }
    }
    Ok((headers, Json(all)))
}

pub(crate) async fn describe(State(api): State<Api>, Named(name): Named<String>) -> Answer<Datastream> {
    Ok(Json(api.jobs.describe(&name).await?))
}

/// The document as it was submitted, byte for byte.
pub(crate) async fn document(State(api): State<Api>, Named(name): Named<String>) -> Result<impl IntoResponse, Problem> {
    let mut text = api.jobs.describe(&name).await?.document;
    if text.is_empty() {
        // One that was over before this job manager began.
        text = api
            .jobs
            .in_force(&name)
            .await?
            .map_or(text, |known| known.document.text);
    }
    // Not as YAML: a browser shows a text, and never looks for anything else in it.
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

pub(crate) async fn series(State(api): State<Api>, Named(name): Named<String>) -> Answer<Series> {
    Ok(Json(api.jobs.series(&name).await?))
}

pub(crate) async fn lag(
    State(api): State<Api>,
    Named(name): Named<String>,
    Options(asked): Options<LagOf>,
) -> Answer<Lag> {
    let asked = LagAsked {
        minutes: asked.minutes.unwrap_or(MINUTES_SHOWN).min(MINUTES_MAX),
        between: asked.from.zip(asked.to),
    };
    Ok(Json(api.jobs.lag(&name, asked).await?))
}

pub(crate) async fn logs(
    State(api): State<Api>,
    Named(name): Named<String>,
    Options(After { after, limit }): Options<After>,
) -> Answer<Vec<LogLine>> {
    let mut lines = api.jobs.logs(&name, after).await?;
    let surplus = limit.map_or(0, |limit| lines.len().saturating_sub(limit.max(1)));
    Ok(Json(lines.split_off(surplus)))
}

pub(crate) async fn operation(State(api): State<Api>, Named((name, id)): Named<(String, String)>) -> Answer<Operation> {
    let operations = api.jobs.describe(&name).await?.operations;
    let found = operations.into_iter().find(|operation| operation.id == id);
    let unknown = || {
        problem(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("`{name}` knows no operation `{id}`"),
        )
        .place("path")
        .help("a job manager remembers the last ones of its own time; `weir describe` shows how the datastream is")
    };
    found.map(Json).ok_or_else(unknown)
}

pub(crate) async fn cluster(State(api): State<Api>) -> Json<Cluster> {
    Json(api.cluster())
}

pub(crate) async fn overview(State(api): State<Api>) -> Json<Overview> {
    Json(api.overview())
}

/// The overview again and again, as it changes.
pub(crate) async fn stream(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    api.streams.clone().listen(Topic::Overview, api).map_err(|full| *full)
}

/// A datastream again and again, as it changes.
pub(crate) async fn follow(State(api): State<Api>, Named(name): Named<String>) -> Result<impl IntoResponse, Problem> {
    api.jobs.summary(&name)?;
    api.streams
        .clone()
        .listen(Topic::Datastream(name), api)
        .map_err(|full| *full)
}

pub(crate) async fn health(State(api): State<Api>) -> Json<Health> {
    let identity = api.cluster.identity().clone();
    Json(Health {
        term: identity.term,
        incarnation: identity.incarnation,
        build: identity.build,
    })
}

pub(crate) async fn openapi() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        super::super::openapi::text(),
    )
}

pub(crate) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let text = api.metrics.clone().page().await.text();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
}

/// Where Prometheus finds the task managers.
pub(crate) async fn targets(State(api): State<Api>) -> Json<Vec<Target>> {
    let all = api.cluster.describe().task_managers.into_iter();
    let served = all.filter(|one| !one.metrics_address.is_empty());
    Json(served.map(Target::of).collect())
}

pub(crate) async fn nothing_here() -> Problem {
    problem(StatusCode::NOT_FOUND, "no-such-path", "there is nothing at this path")
        .place("path")
        .help("/ is the page, /v1/openapi.json lists every path, /metrics is for Prometheus")
}

pub(crate) async fn not_that_way() -> Problem {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "no-such-method",
        "this path does not take that method",
    )
    .place("method")
    .help("/v1/openapi.json lists every path with its methods; whatever changes something is a POST")
}
