//! The cuts that a snapshot names, and how many small ones become a file.

use std::collections::{HashMap, HashSet, VecDeque};

use dataflow::Failure;

use super::super::Cut;
use super::super::format::{Cleared, Entries, Item};
use super::super::kept::KeptCut;

/// Cuts that stand in the snapshot hold so many bytes of it at most.
const INLINE_MAX: usize = 64 * 1024;

/// With more cuts than these, whoever needs the oldest is asked to write what is left of it.
const CROWD: usize = 256;

/// Cuts with their numbers, older ones first.
#[derive(Debug, Default)]
pub(super) struct List {
    cuts: VecDeque<(u64, KeptCut)>,
}

impl List {
    /// What was restored counts as cut 0.
    pub(super) fn new(restored: Vec<KeptCut>) -> Self {
        Self {
            cuts: restored.into_iter().map(|cut| (0, cut)).collect(),
        }
    }

    /// Adds the newest.
    pub(super) fn push(&mut self, number: u64, cut: KeptCut) {
        self.cuts.push_back((number, cut));
    }

    /// Takes out what is older than what is needed.
    pub(super) fn leave(&mut self, needed_from: u64) -> Vec<KeptCut> {
        let count = self.cuts.partition_point(|(number, _)| *number < needed_from);
        self.cuts.drain(..count).map(|(_, cut)| cut).collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<KeptCut> {
        self.cuts.iter().map(|(_, cut)| cut.clone()).collect()
    }

    /// The number of the oldest.
    pub(super) fn oldest(&self) -> u64 {
        self.cuts.front().map_or(u64::MAX, |(number, _)| *number)
    }

    /// Whether there are too many.
    pub(super) fn is_crowded(&self) -> bool {
        self.cuts.len() > CROWD
    }

    /// Where small cuts of the same key groups stand side by side, if they hold too much of the snapshot.
    pub(super) fn runs(&self) -> Vec<std::ops::Range<usize>> {
        let inline = |cut: &KeptCut| match cut {
            KeptCut::Inline(inline) => Some((inline.length(), inline.groups())),
            KeptCut::File(_) => None,
        };
        let sum: usize = self
            .cuts
            .iter()
            .filter_map(|(_, cut)| inline(cut))
            .map(|(length, _)| length)
            .sum();
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        if sum <= INLINE_MAX {
            return runs;
        }
        let mut before = None;
        for (index, (_, cut)) in self.cuts.iter().enumerate() {
            let groups = inline(cut).map(|(_, groups)| groups);
            match (groups, runs.last_mut()) {
                (None, _) => {}
                (Some(_), Some(run)) if groups == before => run.end = index + 1,
                (Some(_), _) => runs.push(index..index + 1),
            }
            before = groups;
        }
        runs
    }

    /// The cuts of a run as one cut, in which each key stands once.
    ///
    /// # Errors
    /// Cuts that cannot be read.
    pub(super) fn merged(&self, run: std::ops::Range<usize>) -> Result<Cut, Failure> {
        let streams = self.cuts.range(run.clone()).map(|(_, cut)| match cut {
            KeptCut::Inline(inline) => inline.bytes(),
            KeptCut::File(_) => Err(Failure::bug("a file among the cuts of a snapshot")),
        });
        let streams = streams.collect::<Result<Vec<_>, _>>()?;
        let number = self.cuts[run.end - 1].0;
        merge(number, &streams)
    }

    /// Puts a file in the place of a run.
    pub(super) fn replace(&mut self, run: std::ops::Range<usize>, file: KeptCut) {
        let number = self.cuts[run.end - 1].0;
        self.cuts.drain(run.start + 1..run.end);
        self.cuts[run.start] = (number, file);
    }
}

/// One cut of the entries of several, older ones first: the last word on each key, and every table that was cleared.
fn merge(number: u64, streams: &[Vec<u8>]) -> Result<Cut, Failure> {
    let mut last = HashMap::new();
    let mut cleared: HashMap<Cleared, usize> = HashMap::new();
    let mut order = Vec::new();
    for (stream, bytes) in streams.iter().enumerate() {
        for item in Entries::new(bytes) {
            match item.map_err(|error| Failure::bug("a cut that was written is not entries").because(&error))? {
                Item::Cleared(gone) => drop(cleared.insert(gone, stream)),
                Item::Entry(entry) => {
                    last.insert((entry.place, entry.key), order.len());
                    order.push((stream, entry));
                }
            }
        }
    }
    let mut cut = Cut::new(number);
    let mut seen = HashSet::new();
    for (stream, bytes) in streams.iter().enumerate() {
        for item in Entries::new(bytes).flatten() {
            if let Item::Cleared(gone) = item
                && cleared.get(&gone) == Some(&stream)
                && seen.insert(gone)
            {
                cut.clear(gone.state, gone.namespace);
            }
        }
    }
    for (index, (stream, entry)) in order.iter().enumerate() {
        let place = entry.place;
        let table = Cleared {
            state: place.state,
            namespace: place.namespace,
        };
        let gone = cleared.get(&table).is_some_and(|by| by > stream);
        if gone || last.get(&(place, entry.key)) != Some(&index) {
            continue;
        }
        match entry.value {
            Some(value) => cut.put(place, entry.key, |out| out.extend_from_slice(value)),
            None => cut.remove(place, entry.key),
        }
    }
    Ok(cut)
}
