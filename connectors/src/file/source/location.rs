//! Where files lie: a path, folder or pattern becomes a store and the objects in it.

use std::io::ErrorKind;
use std::sync::Arc;

use dataflow::Failure;
use dataflow::store::{Error, Object, Store, Stores};
use globset::{GlobBuilder, GlobMatcher};

/// Characters that make a part of a path a pattern.
const PATTERN: &[char] = &['*', '?', '[', '{'];

/// A path of a document, understood.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    /// One file, or everything in a folder.
    Whole {
        /// The path as it was written, without a slash at its end.
        path: String,
    },
    /// What a pattern matches below a folder.
    Pattern {
        /// The folder.
        root: String,
        /// The pattern, for paths relative to the folder.
        pattern: GlobMatcher,
    },
}

/// Objects in the store they were found in.
#[derive(Debug)]
pub(crate) struct Found {
    /// What opens the store.
    pub(crate) store: String,
    /// Whether the store is a folder of this machine.
    pub(crate) local: bool,
    /// The objects, in the order of their paths.
    pub(crate) objects: Vec<Object>,
}

impl Location {
    /// Reads a path; the error is a sentence for the person who wrote it.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let (scheme, rest) = path.find("://").map_or(("", path), |at| path.split_at(at + 3));
        if rest.trim_matches('/').is_empty() && (!scheme.is_empty() || rest.is_empty()) {
            return Err("a path names a file, a folder, or a pattern such as `logs/*.json`".to_owned());
        }
        let Some(first) = rest.find(PATTERN) else {
            let trimmed = path.trim_end_matches('/');
            return Ok(Self::Whole {
                path: if trimmed.is_empty() { "/" } else { trimmed }.to_owned(),
            });
        };
        let (folder, pattern) = rest[..first]
            .rfind('/')
            .map_or(("", rest), |at| (&rest[..=at], &rest[at + 1..]));
        let matcher = GlobBuilder::new(pattern).literal_separator(true).build();
        let pattern = matcher.map_err(|error| format!("`{pattern}` is not a pattern: {}", error.kind()))?;
        let folder = match folder.trim_end_matches('/') {
            "" if folder.is_empty() && scheme.is_empty() => ".",
            "" => folder,
            folder => folder,
        };
        Ok(Self::Pattern {
            root: format!("{scheme}{folder}"),
            pattern: pattern.compile_matcher(),
        })
    }

    /// Looks. What is not there is an error that says what to do; a folder or pattern without files is an empty answer.
    pub(crate) async fn find(&self, stores: &dyn Stores) -> Result<Found, Failure> {
        match self {
            Self::Whole { path } => find_whole(stores, path).await,
            Self::Pattern { root, pattern } => {
                let store = stores.open(root)?;
                if let Some(folder) = store.local_root() {
                    look_at(root, folder)?;
                }
                let mut objects = visible(&store).await?;
                objects.retain(|object| pattern.is_match(&object.path));
                Ok(Found {
                    store: root.clone(),
                    local: store.local_root().is_some(),
                    objects,
                })
            }
        }
    }
}

async fn find_whole(stores: &dyn Stores, path: &str) -> Result<Found, Failure> {
    let store = stores.open(path)?;
    if let Some(place) = store.local_root() {
        if look_at(path, place)?.is_dir() {
            return Ok(Found {
                store: path.to_owned(),
                local: true,
                objects: visible(&store).await?,
            });
        }
        let (folder, name) = parent(path);
        let object = stores.open(folder)?.head(name).await?;
        return Ok(Found {
            store: folder.to_owned(),
            local: true,
            objects: vec![object],
        });
    }
    let (folder, name) = parent(path);
    if !folder.ends_with('/') && !name.is_empty() {
        match stores.open(folder)?.head(name).await {
            Ok(object) => {
                return Ok(Found {
                    store: folder.to_owned(),
                    local: false,
                    objects: vec![object],
                });
            }
            Err(Error::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Found {
        store: path.to_owned(),
        local: false,
        objects: visible(&store).await?,
    })
}

/// What the file system says of a place that must be there.
fn look_at(path: &str, place: &std::path::Path) -> Result<std::fs::Metadata, Failure> {
    let metadata = std::fs::metadata(place).and_then(|metadata| {
        // Whether a folder may be listed shows only when it is.
        if metadata.is_dir() {
            std::fs::read_dir(place).map(|_| metadata)
        } else {
            Ok(metadata)
        }
    });
    metadata.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::fail(format!("there is no file or folder `{path}`"))
            .help("check the path; a relative one starts at the folder in which Weir was started"),
        ErrorKind::PermissionDenied => Failure::fail(format!("no permission to read `{path}`"))
            .help("give the user that runs Weir the right to read it: `chmod o+r` for files, `chmod o+rx` for folders"),
        _ => Failure::retry(format!("`{path}` cannot be looked at")).because(&error),
    })
}

/// The folder and the last part of a path.
fn parent(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((folder, name)) => (folder, name),
        None => (".", path),
    }
}

/// Everything in a store but what is hidden: temporary files, and Weir's own pending files under `_weir`.
async fn visible(store: &Arc<dyn Store>) -> Result<Vec<Object>, Failure> {
    let mut objects = store.list("").await?;
    objects.retain(|object| !object.path.split('/').any(|part| part.starts_with(['_', '.'])));
    Ok(objects)
}
