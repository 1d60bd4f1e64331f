//! A split of files: one file, or a range of one, as it was found.

use dataflow::Failure;
use dataflow::contract::Split;
use dataflow::store::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::options::Compression;

/// What to read; fixed when the file was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    /// What opens the store.
    pub(super) store: String,
    /// The file in it.
    pub(super) path: String,
    /// Its size when it was found; it is read to there.
    pub(super) size: u64,
    /// Its version when it was found.
    pub(super) version: String,
    /// Lines that begin from here on …
    pub(super) start: u64,
    /// … and before here belong to the split.
    pub(super) end: u64,
    /// Never `auto`.
    pub(super) compression: Compression,
}

impl Spec {
    /// The file, for messages.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.store.trim_end_matches('/'), self.path)
    }

    /// Whether there is a range of the file that is not in this split.
    pub(super) fn is_part(&self) -> bool {
        self.start > 0 || self.end < self.size
    }

    fn split(&self) -> Split {
        let id = if self.is_part() {
            format!("{}@{}", self.path, self.start)
        } else {
            self.path.clone()
        };
        let spec = serde_json::to_value(self).expect("strings and numbers are JSON");
        Split {
            id,
            spec,
            position: Value::Null,
        }
    }

    /// The spec and the position of a split that was made here.
    pub(super) fn read(split: &Split) -> Result<(Self, Option<u64>), Failure> {
        let foreign = |error: serde_json::Error| {
            Failure::bug(format!("the split `{}` was not made by the file source", split.id)).because(&error)
        };
        let spec = serde_json::from_value(split.spec.clone()).map_err(foreign)?;
        let position = serde_json::from_value(split.position.clone()).map_err(foreign)?;
        Ok((spec, position))
    }

    /// The object is no longer what was found.
    pub(super) fn changed(&self, what: &str) -> Failure {
        Failure::fail(format!("`{}` {what} after it was found", self.name())).help(
            "files must not change while they are read: write them elsewhere and move them in when they are complete, \
             and start anew with `--fresh`",
        )
    }
}

/// The splits of a file: ranges of about `range` bytes, if any are wanted.
pub(super) fn splits(store: &str, object: &Object, compression: Compression, range: Option<u64>) -> Vec<Split> {
    let range = range.filter(|range| compression == Compression::None && object.size > *range);
    let count = range.map_or(1, |range| object.size.div_ceil(range));
    let range = object.size.div_ceil(count.max(1)).max(1);
    (0..count)
        .map(|index| {
            let (start, end) = (index * range, ((index + 1) * range).min(object.size));
            let (store, path, version) = (store.to_owned(), object.path.clone(), object.version.clone());
            Spec {
                store,
                path,
                size: object.size,
                version,
                start,
                end,
                compression,
            }
            .split()
        })
        .collect()
}
