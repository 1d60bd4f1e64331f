//! Every path of REST: one table, from which both the router and the OpenAPI document are made.
//!
//! What changes something is a POST; a test holds the table to that.

mod datastreams;
mod documents;
mod actions;
mod cluster;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::Api;
use super::requests::named;

/// Makes the schema of a type, by the generator that collects them.
type Shape = fn(&mut SchemaGenerator) -> Schema;

/// One path with one method, and what there is to know of it.
pub(super) struct Route {
    pub(super) method: Method,
    /// With `{name}` for what stands for something.
    pub(super) path: &'static str,
    pub(super) tag: &'static str,
    /// Its name for generated clients.
    pub(super) id: &'static str,
    pub(super) about: &'static str,
    pub(super) query: Option<Shape>,
    pub(super) body: Option<Content>,
    pub(super) status: u16,
    pub(super) answer: Content,
    handler: MethodRouter<Api>,
}

/// A body.
pub(super) enum Content {
    /// JSON of a type.
    Json(Shape),
    /// Something else, by its content type.
    Text(&'static str),
    /// Server-sent events, each with JSON of a type.
    Events(Shape),
}

fn json<T: JsonSchema>() -> Content {
    Content::Json(shape::<T>)
}

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Route {
    fn new(
        (method, path): (Method, &'static str),
        handler: MethodRouter<Api>,
        (tag, id, about): (&'static str, &'static str, &'static str),
        (status, answer): (u16, Content),
    ) -> Self {
        Self {
            method,
            path,
            tag,
            id,
            about,
            query: None,
            body: None,
            status,
            answer,
            handler,
        }
    }

    fn query<T: JsonSchema>(self) -> Self {
        Self {
            query: Some(shape::<T>),
            ..self
        }
    }

    fn body(self, body: Content) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }
}

fn get<H: Handler<T, Api>, T: 'static>(
    path: &'static str,
    handler: H,
    about: (&'static str, &'static str, &'static str),
    answer: Content,
) -> Route {
    Route::new((Method::GET, path), routing::get(handler), about, (200, answer))
}

fn post<H: Handler<T, Api>, T: 'static>(
    path: &'static str,
    handler: H,
    about: (&'static str, &'static str, &'static str),
    answer: (u16, Content),
) -> Route {
    Route::new((Method::POST, path), routing::post(handler), about, answer)
}

/// All of them.
pub(super) fn table() -> Vec<Route> {
    [
        datastreams::reading(),
        datastreams::remembered(),
        datastreams::following(),
        datastreams::counting(),
        datastreams::looking(),
        documents::documents(),
        documents::reference(),
        actions::changing(),
        cluster::cluster(),
        cluster::measuring(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The router of the table.
pub(super) fn router() -> Router<Api> {
    let mut router = Router::new();
    for route in table() {
        router = router.route(route.path, named(route.path, route.handler));
    }
    router
}
