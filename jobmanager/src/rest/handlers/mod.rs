//! One function for each path and method: what is read, and what is changed.

mod archive;
mod changing;
mod documents;
mod looking;
mod reading;
mod reference;
mod remembered;
mod taskmanagers;

pub(super) use archive::{archive, archive_sample};
pub(super) use changing::{cancel, rescale, savepoint, stop, submit, sweep};
pub(super) use documents::{diff, validate, version, versions};
pub(super) use looking::{findings, letter, letters, tap};
pub(super) use reading::{
    cluster, describe, document, follow, health, lag, list, logs, metrics, not_that_way, nothing_here, openapi,
    operation, overview, series, stream, targets,
};
pub(super) use reference::{connectors, explain};
pub(super) use remembered::{run, runs};
pub(super) use taskmanagers::{taskmanager, taskmanager_logs};
