//! What datastreams have kept as files: folders and files from a list and from footers, and a few rows of a file.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use dataflow::contract::browse::Asked;
use serde_json::Value;

use crate::rest::Api;
use crate::rest::asked::{Named, Options, Rows, Shelf};
use crate::rest::types::{Archive, ArchiveFile, ArchivePartition, Problem};

/// So many files are told of at once: a footer is read for each.
const FILES_MAX: usize = 200;

/// So many rows are shown of a file.
const ROWS_MAX: usize = 100;
const ROWS: usize = 20;

pub(crate) async fn archive(
    State(api): State<Api>,
    Named(name): Named<String>,
    Options(shelf): Options<Shelf>,
) -> Result<(HeaderMap, Json<Archive>), Problem> {
    let Shelf {
        sink,
        under,
        after,
        limit,
    } = shelf;
    let limit = limit.unwrap_or(FILES_MAX).clamp(1, FILES_MAX);
    let asked = Asked { under, after, limit };
    let found = api.jobs.archive(&name, sink.as_deref(), &asked).await?;
    let listed = found.listed;
    let next = listed
        .files
        .last()
        .filter(|_| listed.more)
        .map(|last| last.path.clone());
    let mut headers = HeaderMap::new();
    if let Some(next) = &next {
        let after: String = url_encoded(next);
        let link = format!("</v1/datastreams/{name}/archive?after={after}&limit={limit}>; rel=\"next\"");
        headers.extend(HeaderValue::from_str(&link).ok().map(|link| (header::LINK, link)));
    }
    let partitions = listed.folders.into_iter().map(|folder| ArchivePartition {
        folder: folder.path,
        files: folder.files,
        bytes: folder.bytes,
    });
    let files = listed.files.into_iter().map(|file| ArchiveFile {
        file: file.path,
        bytes: file.bytes,
        rows: file.rows,
        from_ms: file.times.map(|(from, _)| from),
        to_ms: file.times.map(|(_, to)| to),
        job: file.job,
        epoch: file.epoch,
    });
    let archive = Archive {
        sinks: found.sinks,
        sink: found.sink,
        path: listed.path,
        files_total: listed.count,
        bytes_total: listed.bytes,
        partitions: partitions.collect(),
        files: files.collect(),
        next,
    };
    Ok((headers, Json(archive)))
}

pub(crate) async fn archive_sample(
    State(api): State<Api>,
    Named(name): Named<String>,
    Options(Rows { sink, file, limit }): Options<Rows>,
) -> Result<Json<Vec<Value>>, Problem> {
    let rows = limit.unwrap_or(ROWS).clamp(1, ROWS_MAX);
    Ok(Json(
        api.jobs.archive_sample(&name, sink.as_deref(), (&file, rows)).await?,
    ))
}

/// A path as a part of a query.
fn url_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_partitions_survives_a_query() {
        assert_eq!(
            url_encoded("type=A B/date=2026-11-22/ü.parquet"),
            "type%3DA%20B/date%3D2026-11-22/%C3%BC.parquet"
        );
    }
}
