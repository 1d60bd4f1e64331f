//! The page: the files of `jobmanager/ui`, which are part of the binary, served from there and nowhere else.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::OnceLock;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::handlers;

include!(concat!(env!("OUT_DIR"), "/ui.rs"));

/// Scripts, styles and data from here alone: nothing inline, nothing from anywhere else, no frame around it.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// One file, as it travels.
struct Asset {
    plain: &'static [u8],
    gzip: Vec<u8>,
    tag: String,
}

/// All files by their path, made when the first is asked for.
fn assets() -> &'static BTreeMap<&'static str, Asset> {
    static ASSETS: OnceLock<BTreeMap<&'static str, Asset>> = OnceLock::new();
    ASSETS.get_or_init(|| {
        let asset = |plain: &'static [u8]| Asset {
            plain,
            gzip: gzip(plain),
            tag: format!("\"{:08x}-{:x}\"", crc32fast::hash(plain), plain.len()),
        };
        FILES.iter().map(|(path, bytes)| (*path, asset(bytes))).collect()
    })
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default()
}

/// The page itself, and which scripts it is made of: a browser asks for them at once, and not one behind another as it
/// reads them.
pub(super) async fn index(headers: HeaderMap) -> Response {
    let mut response = send("index.html", &headers).await;
    if let Ok(links) = HeaderValue::from_str(scripts()) {
        response.headers_mut().insert(header::LINK, links);
    }
    response
}

fn scripts() -> &'static str {
    static SCRIPTS: OnceLock<String> = OnceLock::new();
    SCRIPTS.get_or_init(|| {
        let scripts = FILES.iter().filter(|(path, _)| path.ends_with(".js"));
        let links: Vec<String> = scripts
            .map(|(path, _)| format!("</ui/{path}>; rel=modulepreload"))
            .collect();
        links.join(", ")
    })
}

/// One of its files: a path is looked up in the list and means nothing else.
pub(super) async fn file(path: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let Path(path) = path.unwrap_or_else(|_garbled| Path(String::new()));
    send(&path, &headers).await
}

async fn send(path: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = assets().get(path) else {
        return handlers::nothing_here().await.into_response();
    };
    let has = |name, wanted: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().starts_with(wanted))
    };
    let tags = [
        (header::ETAG, asset.tag.clone()),
        // Asked for each time, and sent only where it has changed: a page never mixes two builds for long.
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::VARY, "Accept-Encoding".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
    ];
    if has(header::IF_NONE_MATCH, &asset.tag) {
        return (StatusCode::NOT_MODIFIED, tags).into_response();
    }
    let kind = [(header::CONTENT_TYPE, kind(path))];
    match has(header::ACCEPT_ENCODING, "gzip") {
        true => (tags, kind, [(header::CONTENT_ENCODING, "gzip")], asset.gzip.as_slice()).into_response(),
        false => (tags, kind, asset.plain).into_response(),
    }
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}
