//! What answers do not say: where the state folder lies on this machine, and what a URL carries before its `@`.
//!
//! Every answer passes here as a whole, whoever wrote the text in it: the message of a failure, a log line, the place of a
//! savepoint, a document. A place in the state folder is said relative to it. Paths that a document names stay as its author
//! wrote them.

use std::borrow::Cow;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;

use super::Api;

/// Larger bodies are not made here: a description of 100,000 subtasks is half of it.
const BODY_BYTES_MAX: usize = 256 << 20;

/// What stands where the folder itself is named.
const STATE: &str = "the state folder";

/// Rewrites an answer that says too much.
pub(super) async fn discreet(State(api): State<Api>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_text = ["application/json", "application/problem+json", "text/plain; charset"]
        .iter()
        .any(|text| kind.starts_with(text));
    if !is_text {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // It is whole already: nothing is waited for.
    let Ok(bytes) = to_bytes(body, BODY_BYTES_MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let rewritten = match std::str::from_utf8(&bytes).map(|text| said(text, &api.cluster.identity().state)) {
        Ok(Cow::Owned(text)) => text,
        Ok(Cow::Borrowed(_)) | Err(_) => return Response::from_parts(parts, Body::from(bytes)),
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(rewritten))
}

/// A text as it may be said.
pub(super) fn said<'a>(text: &'a str, state: &str) -> Cow<'a, str> {
    let mut said = Cow::Borrowed(text);
    if let Some(path) = local(state) {
        let url = format!("file://{path}");
        for place in [state, url.as_str(), path] {
            said = relative(said, place.trim_end_matches('/'));
        }
    }
    without_passwords(said)
}

/// The path of a state folder on this machine, where it is one that means something: not `/`.
fn local(state: &str) -> Option<&str> {
    let path = match state.split_once("://") {
        Some(("file", path)) => path,
        Some(_) => return None,
        None => state,
    };
    (path.starts_with('/') && path.len() > 1).then_some(path)
}

fn relative<'a>(text: Cow<'a, str>, place: &str) -> Cow<'a, str> {
    let mut rest = &*text;
    let (mut said, mut changed) = (String::new(), false);
    while let Some(at) = rest.find(place) {
        let (before, behind) = (&rest[..at], &rest[at + place.len()..]);
        said.push_str(before);
        rest = behind;
        if !is_named(before, behind) {
            said.push_str(place);
            continue;
        }
        changed = true;
        match behind.strip_prefix('/').filter(|below| below.starts_with(is_of_a_path)) {
            Some(below) => rest = below,
            None => {
                said.push_str(STATE);
                rest = behind.strip_prefix('/').unwrap_or(behind);
            }
        }
    }
    if !changed {
        return text;
    }
    said.push_str(rest);
    Cow::Owned(said)
}

/// Whether what stands between these is a place of its own, and not a part of the name of another.
fn is_named(before: &str, behind: &str) -> bool {
    // In JSON the end of a line is written with a letter.
    let begins = !before.ends_with(is_of_a_path) || ["\\n", "\\t", "\\r"].iter().any(|end| before.ends_with(end));
    let sentence = behind
        .strip_prefix('.')
        .is_some_and(|next| !next.starts_with(is_of_a_path));
    begins && (!behind.starts_with(is_of_a_path) || behind.starts_with('/') || sentence)
}

fn is_of_a_path(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '/' | '.' | '-' | '_' | '~' | '+')
}

/// `https://user:password@host` as `https://***@host`.
fn without_passwords(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut rest = &*text;
    let (mut said, mut changed) = (String::new(), false);
    while let Some(at) = rest.find("://") {
        let (before, behind) = rest.split_at(at + 3);
        said.push_str(before);
        let end = behind.find(|letter: char| letter.is_whitespace() || "/?#\"'`\\<>,;)}]".contains(letter));
        let authority = &behind[..end.unwrap_or(behind.len())];
        rest = behind;
        if let Some(name) = authority.rfind('@') {
            changed = true;
            said.push_str("***");
            rest = &behind[name..];
        }
    }
    if !changed {
        return text;
    }
    said.push_str(rest);
    Cow::Owned(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE_URL: &str = "file:///srv/weir/state";

    #[test]
    fn places_in_the_state_folder_are_said_relative_to_it() {
        for (text, wanted) in [
            (
                "savepoint a is at file:///srv/weir/state/savepoints/a",
                "savepoint a is at savepoints/a",
            ),
            (
                "\"file:///srv/weir/state: no space left for `jobs/x`\"",
                "\"the state folder: no space left for `jobs/x`\"",
            ),
            (
                "`/srv/weir/state/leader/lock`, /srv/weir/state.",
                "`leader/lock`, the state folder.",
            ),
            ("first\\n/srv/weir/state/x", "first\\nx"),
        ] {
            assert_eq!(said(text, STATE_URL), wanted, "{text}");
            assert_eq!(said(text, "/srv/weir/state"), wanted, "{text}");
        }
    }

    #[test]
    fn other_places_stay_as_they_are() {
        for text in [
            "file:///srv/weir/statements/x",
            "/data/srv/weir/state/x",
            "s3://bucket/srv/weir/state",
            "{\"a\":\"://\"}",
            "https://example.org/a@b",
            "",
        ] {
            assert!(
                matches!(said(text, STATE_URL), Cow::Borrowed(_)),
                "{text}: {}",
                said(text, STATE_URL)
            );
        }
        assert_eq!(said("/a /b", "/"), "/a /b");
        assert_eq!(said("s3://bucket/x", "s3://bucket"), "s3://bucket/x");
    }

    #[test]
    fn what_stands_before_the_at_of_a_url_is_nobodys_business() {
        for (text, wanted) in [
            ("postgres://bob:p%40ss@db:5432/x", "postgres://***@db:5432/x"),
            ("a http://u@h, b https://u:p@q@h\"", "a http://***@h, b https://***@h\""),
            ("https://bob:secret@h", "https://***@h"),
        ] {
            assert_eq!(said(text, STATE_URL), wanted, "{text}");
        }
    }
}
