//! The state files that snapshots name. Pure.
//!
//! A node with state says `{"cuts": [{"object": "<name>", …} | {"inline": …}], "note": …}`; beside the nodes stands what the
//! barrier overtook, `"overtaken": {"object": "<name>", …}`. Names are relative to the folder of the job's state.

use std::collections::BTreeSet;

use dataflow::Failure;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::store::Record;

/// The names of all state files that a record needs.
///
/// # Errors
/// Where a snapshot cannot be read: nobody knows then what it needs.
pub fn named(record: &Record) -> Result<BTreeSet<String>, Failure> {
    let mut names = BTreeSet::new();
    for part in &record.subtasks {
        let mut value = read(&part.snapshot)?;
        each(&mut value, &mut |name| {
            names.insert(name.clone());
        });
    }
    Ok(names)
}

/// The record with other names for its state files.
///
/// # Errors
/// As for [`named`].
pub fn renamed(mut record: Record, rename: impl Fn(&str) -> String) -> Result<Record, Failure> {
    for part in &mut record.subtasks {
        let mut value = read(&part.snapshot)?;
        let mut found = false;
        each(&mut value, &mut |name| {
            *name = rename(name);
            found = true;
        });
        if found {
            part.snapshot = serde_json::value::to_raw_value(&value)
                .map_err(|error| Failure::bug("a snapshot that is not JSON any more").because(&error))?;
        }
    }
    Ok(record)
}

fn read(snapshot: &RawValue) -> Result<Value, Failure> {
    serde_json::from_str(snapshot.get())
        .map_err(|error| Failure::fail("a snapshot in a record cannot be read").because(&error))
}

fn each(snapshot: &mut Value, see: &mut impl FnMut(&mut String)) {
    if let Some(Value::String(name)) = snapshot
        .get_mut("overtaken")
        .and_then(|stowed| stowed.get_mut("object"))
    {
        see(name);
    }
    let nodes = snapshot.get_mut("nodes").and_then(Value::as_object_mut);
    let nodes = nodes.into_iter().flat_map(|nodes| nodes.values_mut());
    let cuts = nodes.filter_map(|node| node.get_mut("cuts")?.as_array_mut()).flatten();
    for cut in cuts {
        if let Some(Value::String(name)) = cut.get_mut("object") {
            see(name);
        }
    }
}
