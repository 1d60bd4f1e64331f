//! Finds files: once, or again and again for a source that watches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use dataflow::Failure;
use dataflow::contract::{Discovery, Enumerator, EnumeratorContext, Order};
use dataflow::store::{Object, Stores};
use serde_json::{Value, json};

use super::location::Location;
use super::options::{Options, Records};
use super::split::splits;

/// Finds the files of one source.
pub(super) struct Finder {
    options: Options,
    location: Location,
    stores: Arc<dyn Stores>,
    order: Order,
    /// Size and version of each file that was reported and is still there.
    reported: BTreeMap<String, String>,
    /// What was there at the last look and was not reported yet, because it may still be being written.
    unsettled: BTreeMap<String, Object>,
    /// Whether a bounded source has said everything.
    complete: bool,
}

impl Finder {
    pub(super) fn new(
        options: Options,
        location: Location,
        context: EnumeratorContext,
        restored: Option<&Value>,
    ) -> Result<Self, Failure> {
        let reported = restored
            .map(|value| serde_json::from_value(value["reported"].clone()))
            .transpose();
        let reported =
            reported.map_err(|error| Failure::bug("a snapshot that the file source did not write").because(&error))?;
        let complete = restored.is_some_and(|value| value["complete"] == true);
        Ok(Self {
            options,
            location,
            stores: context.stores,
            order: context.order,
            reported: reported.unwrap_or_default(),
            unsettled: BTreeMap::new(),
            complete,
        })
    }

    /// Refuses a file that was reported and is another one now.
    fn check_reported(&self, object: &Object) -> Result<bool, Failure> {
        match self.reported.get(&object.path) {
            None => Ok(false),
            Some(reported) if *reported == identity(object) => Ok(true),
            Some(_) => Err(Failure::fail(format!("`{}` changed after it was found", object.path))
                .help("files must not change while they are read: write them elsewhere and move them in when they are complete")),
        }
    }
}

/// What changes when a file changes. Its clock may be too coarse to tell two writes apart, its size often does.
fn identity(object: &Object) -> String {
    format!("{} {}", object.size, object.version)
}

#[async_trait]
impl Enumerator for Finder {
    async fn discover(&mut self) -> Result<Discovery, Failure> {
        if self.complete {
            return Ok(Discovery::default());
        }
        let found = self.location.find(self.stores.as_ref()).await?;
        let watch = self.options.watch;
        if watch.is_none() && found.objects.is_empty() {
            return Err(Failure::fail(format!("there are no files at `{}`", self.options.path)).help(
                "check the path or pattern (`*` stays within a folder, `**` does not); with `watch: {}` the source waits for files",
            ));
        }
        let may_cut = self.order == Order::Free && self.options.records() == Records::Lines;
        let range = may_cut.then_some(self.options.split_size.0);
        let mut new = Vec::new();
        let mut unsettled = BTreeMap::new();
        for object in &found.objects {
            if self.check_reported(object)? {
                continue;
            }
            // A local file may still be being written: it counts once two looks in a row found it the same.
            if watch.is_some() && found.local && self.unsettled.get(&object.path) != Some(object) {
                unsettled.insert(object.path.clone(), object.clone());
            } else {
                new.push(object);
            }
        }
        self.unsettled = unsettled;
        let there: BTreeSet<&str> = found.objects.iter().map(|object| object.path.as_str()).collect();
        self.reported.retain(|path, _| there.contains(path.as_str()));
        self.reported
            .extend(new.iter().map(|object| (object.path.clone(), identity(object))));
        self.complete = watch.is_none();
        let bytes = new.iter().map(|object| object.size).sum();
        let compression = self.options.compression;
        let splits = new
            .iter()
            .flat_map(|object| splits(&found.store, object, compression.of(&object.path), range))
            .collect();
        Ok(Discovery {
            splits,
            next: watch.map(|watch| watch.every.0),
            bytes: Some(bytes),
        })
    }

    fn snapshot(&self) -> Value {
        json!({ "reported": self.reported, "complete": self.complete })
    }
}
