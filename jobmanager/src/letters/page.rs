//! Goes through the files of a folder: some letters that fit what is asked for, or a single one.

use std::sync::Arc;

use dataflow::Hidden;
use dataflow::store::{Object, Store};

use super::Error;
use super::back::{BLOCK, Back};
use super::letter::{Extent, Written};
use crate::rest::types::{DeadLetter, DeadLetterPage};

/// So many letters in one page at most.
pub(crate) const LIMIT_MAX: usize = 1_000;
/// So many bytes are gone through for one page; who wants more asks for the next one.
const BYTES_MAX: u64 = 32 << 20;
/// A letter that is shown whole is not longer.
const LETTER_BYTES_MAX: u64 = 16 << 20;
/// Files of lines that can be read as they are.
const READABLE: &str = ".jsonl";

/// Which letters are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Of this step.
    pub step: Option<String>,
    /// With this in their errors; case does not matter.
    pub error: Option<String>,
    /// Not before this, in milliseconds since 1970 UTC.
    pub since_ms: Option<i64>,
    /// Before this.
    pub until_ms: Option<i64>,
    /// Behind this one, where the last page ended.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl Query {
    fn fits(&self, datastream: &str, letter: &Written) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let has = |wanted: &String| letter.error.to_lowercase().contains(&wanted.to_lowercase());
        letter.datastream == datastream
            && is(&self.step, &letter.step)
            && self.error.as_ref().is_none_or(has)
            && self.since_ms.is_none_or(|since| since <= letter.failed_at)
            && self.until_ms.is_none_or(|until| letter.failed_at < until)
    }
}

/// Letters that fit, the newest file first and each from its end.
///
/// # Errors
/// When the folder cannot be read, or `after` names no place in it.
pub async fn list(
    store: &Arc<dyn Store>,
    (datastream, hidden): (&str, &Hidden),
    query: &Query,
) -> Result<DeadLetterPage, Error> {
    let (files, unread) = files(store).await?;
    let mut page = DeadLetterPage {
        kept: true,
        unread,
        ..DeadLetterPage::default()
    };
    let (first, mut end) = match &query.after {
        None => (0, None),
        Some(after) => {
            let unknown = || Error::Unknown(after.clone());
            let (name, offset) = place(after).ok_or_else(unknown)?;
            let index = files.iter().position(|file| file.path == name).ok_or_else(unknown)?;
            (index, Some(offset))
        }
    };
    let limit = query.limit.clamp(1, LIMIT_MAX);
    let mut left = BYTES_MAX;
    for file in &files[first..] {
        let mut back = Back::from(end.take().unwrap_or(file.size).min(file.size));
        while let Some(wanted) = back.wanted() {
            left = left.saturating_sub(wanted.end - wanted.start);
            let passed = format!("{}:{}", file.path, wanted.start);
            let mut last = None;
            for (offset, line) in back.take(&store.read_range(&file.path, wanted).await?) {
                page.looked_at += 1;
                let id = format!("{}:{offset}", file.path);
                last = Some(id.clone());
                let Some(letter) = Written::read(&line).filter(|letter| query.fits(datastream, letter)) else {
                    continue;
                };
                page.letters.push(letter.shown(id.clone(), hidden, Extent::Excerpt));
                if page.letters.len() >= limit {
                    page.next = Some(id);
                    return Ok(page);
                }
            }
            // A page ends where a line begins, if there is one: one that was not read whole is read again.
            if left < BLOCK {
                page.next = Some(last.unwrap_or(passed));
                return Ok(page);
            }
        }
    }
    Ok(page)
}

/// One letter, whole; the newest, where none is named.
///
/// # Errors
/// When there is none, or the folder cannot be read.
pub async fn show(
    store: &Arc<dyn Store>,
    (datastream, hidden): (&str, &Hidden),
    id: &str,
) -> Result<DeadLetter, Error> {
    let unknown = || Error::Unknown(id.to_owned());
    let (name, offset) = place(id).filter(|(name, _)| is_readable(name)).ok_or_else(unknown)?;
    let known = |error| match error {
        dataflow::store::Error::Missing { .. } | dataflow::store::Error::Refused { .. } => unknown(),
        error => error.into(),
    };
    let size = store.head(name).await.map_err(known)?.size;
    if offset >= size {
        return Err(unknown());
    }
    let end = size.min(offset.saturating_add(LETTER_BYTES_MAX));
    let bytes = store.read_range(name, offset..end).await.map_err(known)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let letter = Written::read(line).filter(|letter| letter.datastream == datastream);
    let letter = letter.ok_or_else(unknown)?;
    Ok(letter.shown(id.to_owned(), hidden, Extent::Whole))
}

/// The name of a file and a place in it.
fn place(id: &str) -> Option<(&str, u64)> {
    let (name, offset) = id.rsplit_once(':')?;
    Some((name, offset.parse().ok()?))
}

/// A committed file of lines: what begins with `_` or `.` is not meant for readers of the folder.
fn is_readable(path: &str) -> bool {
    !path.split('/').any(|part| part.starts_with(['_', '.'])) && path.ends_with(READABLE)
}

/// Those that can be read, the newest first, and the names of others.
async fn files(store: &Arc<dyn Store>) -> Result<(Vec<Object>, Vec<String>), Error> {
    let mut files = store.list("").await?;
    files.retain(|file| !file.path.split('/').any(|part| part.starts_with(['_', '.'])));
    let (mut files, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| is_readable(&file.path));
    files.sort_by(|one, other| (begun(&other.path), &other.path).cmp(&(begun(&one.path), &one.path)));
    const NAMED_MAX: usize = 20;
    let unread = others.into_iter().map(|file| file.path).take(NAMED_MAX);
    Ok((files, unread.collect()))
}

/// When a file was begun, as its name says it: `<prefix><subtask>-<time>-<uuid>.jsonl`.
fn begun(path: &str) -> &str {
    path.rsplit('-').nth(1).unwrap_or_default()
}
