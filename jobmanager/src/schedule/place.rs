//! Slots and who sits in them. Pure.
//!
//! ```text
//!   slot 0: sub-0.0 sub-1.0 sub-2.0      slot 1: sub-0.1 sub-1.1      …as many slots as the largest parallelism
//! ```
//!
//! One slot holds one subtask of each vertex, so that a job needs as many slots as its widest vertex has subtasks, and
//! equal indexes, which forward edges join, are in one process. Slots are spread: each goes to the task manager with
//! the most free ones. Subtasks that run on stay where they are, and those of the same index join them.
//! Must stay true: nobody gets more than it offered; same input, same placement.

use std::collections::{BTreeMap, BTreeSet};

use dataflow::id::SubtaskId;

use crate::execution::ExecutionGraph;

/// A task manager's free slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub task_manager: String,
    /// How many are free.
    pub free: u32,
}

/// A task manager for each subtask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Who goes where.
    pub subtasks: BTreeMap<SubtaskId, String>,
    /// How many slots of whom are taken.
    pub slots: BTreeMap<String, u32>,
}

/// The cluster has not enough free slots.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("needs {needed} slot{}, {free} are free on {task_managers} task managers", if *needed == 1 { "" } else { "s" })]
pub struct TooFewSlots {
    /// How many the job needs.
    pub needed: u32,
    /// How many are free.
    pub free: u32,
    /// How many task managers there are.
    pub task_managers: usize,
}

impl TooFewSlots {
    /// What a person can do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self.task_managers {
            0 => "start one with `weir taskmanager`; the job starts as soon as it is there".to_owned(),
            _ => format!(
                "start another task manager, give one {} more slots, stop another datastream, or lower `parallelism`; the job starts by itself",
                self.needed - self.free
            ),
        }
    }
}

/// Gives every subtask a place; those that are `kept` have theirs, in slots that are offered as well.
///
/// # Errors
/// Where fewer slots are free than the others need.
pub fn place(
    graph: &ExecutionGraph,
    kept: &BTreeMap<SubtaskId, String>,
    offers: &[Offer],
) -> Result<Placement, TooFewSlots> {
    let mut left: BTreeMap<&str, u32> = offers
        .iter()
        .map(|offer| (offer.task_manager.as_str(), offer.free))
        .collect();
    let mut slots: BTreeSet<(u32, &str)> = BTreeSet::new();
    let mut of_index: BTreeMap<u32, &str> = BTreeMap::new();
    for (id, name) in kept {
        of_index.entry(id.index).or_insert(name);
        if slots.insert((id.index, name))
            && let Some(free) = left.get_mut(name.as_str())
        {
            *free = free.saturating_sub(1);
        }
    }
    let placeless = graph.subtasks.iter().filter(|subtask| !kept.contains_key(&subtask.id));
    let indexes: BTreeSet<u32> = placeless.map(|subtask| subtask.id.index).collect();
    let missing: Vec<u32> = indexes
        .into_iter()
        .filter(|index| !of_index.contains_key(index))
        .collect();
    let (needed, free) = (
        u32::try_from(missing.len()).unwrap_or(u32::MAX),
        left.values().copied().fold(0, u32::saturating_add),
    );
    if free < needed {
        return Err(TooFewSlots {
            needed,
            free,
            task_managers: offers.len(),
        });
    }
    for index in missing {
        // Of equals the first by name: the order of offers must not matter.
        let best = left.iter_mut().rev().max_by_key(|(_, free)| **free);
        let (name, free) = best.expect("the sum of free slots was checked above");
        *free -= 1;
        of_index.insert(index, name);
        slots.insert((index, name));
    }
    let mut placement = Placement::default();
    for subtask in &graph.subtasks {
        let name = kept
            .get(&subtask.id)
            .map_or(of_index[&subtask.id.index], String::as_str);
        placement.subtasks.insert(subtask.id, name.to_owned());
    }
    for (_, name) in slots {
        *placement.slots.entry(name.to_owned()).or_default() += 1;
    }
    Ok(placement)
}
