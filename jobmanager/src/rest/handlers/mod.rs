//! One function for each path and method: what is read, and what is changed.

mod changing;
mod looking;
mod reading;

pub(super) use changing::{cancel, rescale, savepoint, stop, submit, sweep};
pub(super) use looking::{findings, letter, letters, tap};
pub(super) use reading::{
    cluster, describe, document, follow, health, lag, list, logs, metrics, not_that_way, nothing_here, openapi,
    operation, overview, series, stream,
};
