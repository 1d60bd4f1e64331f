//! Rows of a datastream, for people who look at them.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::stream::unfold;
use serde::Serialize;

use crate::jobs::Looker;
use crate::letters::Query;
use crate::rest::Api;
use crate::rest::asked::{Letters, Named, Options, Tap};
use crate::rest::types::{DeadLetter, DeadLetterPage, Finding, Problem};
use crate::tap::{Piece, Request};

const ROWS: u32 = 1_000;
const SECONDS: u32 = 60;
const LETTERS: usize = 100;
/// A tap on which nothing goes by is told so: whoever listens knows it lives, and one who has gone is noticed.
const ALIVE: Duration = Duration::from_secs(10);

/// Rows behind a step, as they go by.
pub(crate) async fn tap(
    State(api): State<Api>,
    Named(name): Named<String>,
    Options(asked): Options<Tap>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let request = Request {
        step: asked.step,
        condition: asked.condition.filter(|sql| !sql.trim().is_empty()),
        rows: asked.limit.unwrap_or(ROWS),
        seconds: asked.seconds.unwrap_or(SECONDS),
    };
    let looker = api.jobs.tap(&name, request).await?;
    let events = unfold(looker, |mut looker: Looker| async move {
        let piece = looker.next().await?;
        Some((Ok(event(&piece)), looker))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
}

fn event(piece: &Piece) -> Event {
    match piece {
        Piece::Open(opened) => named("open", opened),
        Piece::Row(row) => named("row", row),
        Piece::Count(count) => named("count", count),
        Piece::End(end) => named("end", end),
    }
}

fn named(name: &str, told: &impl Serialize) -> Event {
    // JSON of our own types; a row is JSON that was looked at before.
    let text = serde_json::to_string(told).unwrap_or_default();
    Event::default().event(name).data(text)
}

/// Records that a step could not take.
pub(crate) async fn letters(
    State(api): State<Api>,
    Named(name): Named<String>,
    Options(asked): Options<Letters>,
) -> Result<Json<DeadLetterPage>, Problem> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let query = Query {
        step: given(asked.step),
        error: given(asked.error),
        since_ms: asked.since_ms,
        until_ms: asked.until_ms,
        after: given(asked.after),
        limit: asked.limit.unwrap_or(LETTERS),
    };
    Ok(Json(api.jobs.dead_letters(&name, &query).await?))
}

/// One of them, whole.
pub(crate) async fn letter(
    State(api): State<Api>,
    Named((name, id)): Named<(String, String)>,
) -> Result<Json<DeadLetter>, Problem> {
    Ok(Json(api.jobs.dead_letter(&name, &id).await?))
}

/// What holds it up.
pub(crate) async fn findings(
    State(api): State<Api>,
    Named(name): Named<String>,
) -> Result<Json<Vec<Finding>>, Problem> {
    Ok(Json(api.jobs.describe(&name).await?.findings))
}
