//! Judges what an outsider finds in a folder: the two event types of the generator's shop events that the documents keep, each
//! event once and byte for byte.

use std::path::Path;

use anyhow::{Result, ensure};
use integration::oracle::{self, compare};
use serde_json::json;

/// Fails unless `folder` holds those of so many events, dealt out to so many splits.
pub(super) fn judge(folder: &Path, events: u64, splits: u64) -> Result<()> {
    let options = json!({"events": "shop", "count": events, "splits": splits, "seed": 3});
    let expected = oracle::expected(&options, &["PAGE_VIEW", "PURCHASE"])?;
    let verdict = compare(expected, oracle::visible(folder)?);
    ensure!(verdict.expected > 0 && verdict.is_exact(), "{verdict:?}");
    Ok(())
}
