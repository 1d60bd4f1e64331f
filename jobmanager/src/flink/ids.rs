//! Flink names jobs and vertices by 32 hexadecimal digits; ours are made of our names, so that they stay the same.

use dataflow::key::hash;

use super::fault::Fault;
use crate::rest::Api;
use crate::rest::types::{Datastream, Summary, Vertex};

fn digits(text: &str) -> String {
    let halves = [0_u8, 1].map(|half| hash(&[&[half], text.as_bytes()].concat()));
    halves.map(|half| format!("{half:016x}")).concat()
}

/// The id of a job, `<name>@<life>`.
pub(super) fn job(job: &str) -> String {
    digits(job)
}

/// The id of one of its vertices.
pub(super) fn vertex(job: &str, vertex: &str) -> String {
    digits(&format!("{job}/{vertex}"))
}

/// The trigger id of an operation, `op-<n>`.
pub(super) fn trigger(operation: &str) -> String {
    let number: u128 = operation.trim_start_matches("op-").parse().unwrap_or_default();
    format!("{number:032x}")
}

/// The datastream of an id in short.
pub(super) fn summary(api: &Api, id: &str) -> Result<Summary, Fault> {
    let mut all = api.jobs.list().into_iter();
    all.find(|summary| job(&summary.job) == id)
        .ok_or_else(|| Fault::unknown(format!("Job {id} not found")))
}

/// The datastream of an id.
pub(super) async fn datastream(api: &Api, id: &str) -> Result<Datastream, Fault> {
    let name = summary(api, id)?.name;
    Ok(api.jobs.describe(&name).await?)
}

/// The vertex of an id.
pub(super) fn vertex_of<'a>(datastream: &'a Datastream, id: &str) -> Result<&'a Vertex, Fault> {
    let job = &datastream.summary.job;
    let mut all = datastream.vertices.iter();
    all.find(|one| vertex(job, &one.id) == id)
        .ok_or_else(|| Fault::unknown(format!("Vertex {id} not found")))
}
