//! What is garbage, as a difference of sets. Pure.

use std::collections::{BTreeMap, BTreeSet};

use dataflow::id::{Epoch, Generation};

use crate::store::search;

/// What one record needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The state files that its snapshots name.
    pub objects: BTreeSet<String>,
    /// The record with its document.
    pub document_in: Epoch,
}

/// What was found of one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The records that stay, read; all of them.
    pub staying: BTreeMap<Epoch, Named>,
    /// Records that may go, read: as many as go at once.
    pub going: BTreeMap<Epoch, Named>,
    /// The state files that there are.
    pub objects: BTreeSet<String>,
    /// Attempts of older generations are fenced: nothing that they made and that no record names will ever be named.
    pub fence: Generation,
}

/// What nobody needs any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Records, the oldest first.
    pub records: Vec<Epoch>,
    /// State files, by name.
    pub objects: Vec<String>,
}

/// The records that stay of a chain that ends with `head`, but for those with the documents of others.
#[must_use]
pub fn retained(head: Epoch, newest: u64, pinned: &BTreeSet<Epoch>) -> BTreeSet<Epoch> {
    let first_of_newest = (head.0 + 1).saturating_sub(newest.max(1));
    let mut staying: BTreeSet<Epoch> = (first_of_newest..=head.0).map(Epoch).collect();
    staying.insert(Epoch(0));
    // Whoever looks for the head without a hint asks for these.
    staying.extend(search(0, head.0).0.into_iter().map(Epoch));
    staying.extend(pinned);
    staying
}

/// What may go of what was seen.
#[must_use]
pub fn difference(seen: &Seen) -> Garbage {
    let documents: BTreeSet<Epoch> = seen.staying.values().map(|named| named.document_in).collect();
    let goes = |epoch: &&Epoch| !seen.staying.contains_key(epoch) && !documents.contains(epoch);
    let records: Vec<Epoch> = seen.going.keys().filter(goes).copied().collect();
    let stays = |epoch: &Epoch| !records.contains(epoch);
    let spared = seen
        .going
        .iter()
        .filter(|(epoch, _)| stays(epoch))
        .map(|(_, named)| named);
    let needed: BTreeSet<&String> = seen
        .staying
        .values()
        .chain(spared)
        .flat_map(|named| &named.objects)
        .collect();
    let given_up: BTreeSet<&String> = records
        .iter()
        .filter_map(|epoch| seen.going.get(epoch))
        .flat_map(|named| &named.objects)
        .collect();
    let is_fenced = |name: &str| generation(name).is_some_and(|made_by| made_by < seen.fence);
    let objects = seen
        .objects
        .iter()
        .filter(|name| !needed.contains(name) && (given_up.contains(name) || is_fenced(name)));
    Garbage {
        records: records.clone(),
        objects: objects.cloned().collect(),
    }
}

/// Who made a state file: its name begins with `gen-<term>.<deployment>/`.
fn generation(name: &str) -> Option<Generation> {
    let (term, deployment) = name.strip_prefix("gen-")?.split_once('/')?.0.split_once('.')?;
    Some(Generation {
        term: term.parse().ok()?,
        deployment: deployment.parse().ok()?,
    })
}
