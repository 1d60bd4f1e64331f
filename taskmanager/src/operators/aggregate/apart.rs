//! `count(DISTINCT x)` of keys that live for ever: the values that were counted are a table of their own.
//!
//! A key may have millions of them, and is asked for again and again: so a value is an entry, written at a barrier once,
//! that goes to disk and comes back alone. What of it each measure has counted is a bit, so measures over the same values,
//! each with its filter, share the entry. With the values known elsewhere, a measure counts the rows that bring a new one.
//!
//! An entry's key is the key group of its row's key, and 128 bits of hash over that key and the value: two values of one key
//! are taken for one with a chance of one in 10^24 among ten million, and an entry has 18 bytes whatever it is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::buffer::{BooleanBuffer, NullBuffer};
use dataflow::Failure;
use dataflow::key::{self, Keys};
use dataflow::recipe::{Function, Measure};

use super::accumulate::Argument;
use crate::operators::Ground;
use crate::state::{Cut, KeyGroups, Table, Values, reserve};

/// The first of these tables, among an aggregate's states.
const FIRST: u8 = 16;

/// So many measures share a table at most: the bits of an entry.
const MEASURES_MAX: usize = 32;

/// So many tables at most.
const TABLES_MAX: usize = 128;

/// Of one entry's key: the key group, and two hashes.
const ENTRY_BYTES: usize = 18;

/// What the second hash begins with.
const SALT: [u8; 8] = *b"distinct";

/// Which measures share the tables, by name: a measure's place is its bit. A name that is gone leaves its place empty, so that
/// one of that name begins anew.
pub(super) type Shared = Vec<Vec<String>>;

/// All values that were counted.
pub(super) struct Apart {
    tables: Vec<Counted>,
}

/// The values of measures that share a table.
struct Counted {
    names: Vec<String>,
    /// Places among the aggregate's measures, and bits.
    measures: Vec<(usize, u32)>,
    table: Table<Masks>,
}

/// For each value, which measures have counted it.
#[derive(Default)]
struct Masks(Vec<u32>);

impl Values for Masks {
    fn grow(&mut self, slots: usize) {
        reserve(&mut self.0, slots);
        self.0.resize(slots.max(self.0.len()), 0);
    }

    fn reset(&mut self, slot: u32) {
        self.0[slot as usize] = 0;
    }

    fn encode(&self, slot: u32, out: &mut Vec<u8>) {
        let bytes = self.0[slot as usize].to_le_bytes();
        let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        out.extend_from_slice(&bytes[..length]);
    }

    fn decode(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Failure> {
        let mut word = [0; 4];
        let place = word.get_mut(..bytes.len());
        let place =
            place.ok_or_else(|| Failure::fail("a part of the state cannot be read: its bytes are no measures"))?;
        place.copy_from_slice(bytes);
        self.0[slot as usize] = u32::from_le_bytes(word);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<u32>()
    }
}

impl Apart {
    /// Of these measures, going on with what was known.
    pub(super) fn new(measures: &[Measure], known: Shared, ground: &Ground<'_>) -> Result<Self, Failure> {
        let shared = share(measures, known)?;
        let cut = u64::from(ground.restored.cuts.is_empty());
        let tables = (FIRST..).zip(shared).map(|(state, names)| {
            let place = |name: &String| {
                measures
                    .iter()
                    .position(|measure| is_counted(measure) && measure.name == *name)
            };
            let measures = (0..).zip(&names).filter_map(|(bit, name)| Some((place(name)?, bit)));
            let measures = measures.collect();
            let mut table = Table::new(state, 0, Masks::default(), cut).with_groups_in_keys();
            if let Some(spill) = ground.spill {
                table = table.spilling(spill);
            }
            Counted { names, measures, table }
        });
        Ok(Self {
            tables: tables.collect(),
        })
    }

    /// Whether a state is of these tables.
    pub(super) fn owns(state: u8) -> bool {
        state >= FIRST
    }

    /// Sets what a cut says of an entry.
    pub(super) fn restore(
        &mut self,
        state: u8,
        key: &[u8],
        value: Option<&[u8]>,
        groups: &KeyGroups,
    ) -> Result<(), Failure> {
        match self.tables.get_mut(usize::from(state - FIRST)) {
            // Whose measures are all gone, is not carried along.
            Some(counted) if !counted.measures.is_empty() => counted.table.restore(key, value, groups),
            Some(_) | None => Ok(()),
        }
    }

    /// Leaves to each measure the rows that bring it a value it has not counted.
    pub(super) fn count(&mut self, keys: &Keys, arguments: &mut [Argument], groups: &KeyGroups) -> Result<(), Failure> {
        self.tables
            .iter_mut()
            .try_for_each(|counted| counted.count(keys, arguments, groups))
    }

    /// Which measures share the tables.
    pub(super) fn shared(&self) -> Shared {
        self.tables.iter().map(|counted| counted.names.clone()).collect()
    }

    pub(super) fn freeze(&mut self, cut: &mut Cut, groups: &KeyGroups) {
        self.tables
            .iter_mut()
            .for_each(|counted| counted.table.freeze(cut, groups));
    }
}

/// Whether a measure's values are kept here.
pub(super) fn is_counted(measure: &Measure) -> bool {
    measure.function == Function::CountDistinct
}

/// Known measures stay where they are; new ones join those over the same values.
fn share(measures: &[Measure], mut known: Shared) -> Result<Shared, Failure> {
    let counted: BTreeMap<&str, &Measure> = measures
        .iter()
        .filter(|measure| is_counted(measure))
        .map(|measure| (measure.name.as_str(), measure))
        .collect();
    for name in known
        .iter_mut()
        .flatten()
        .filter(|name| !counted.contains_key(name.as_str()))
    {
        name.clear();
    }
    for measure in measures.iter().filter(|measure| is_counted(measure)) {
        if known.iter().flatten().any(|name| *name == measure.name) {
            continue;
        }
        let alike = |name: &String| {
            counted
                .get(name.as_str())
                .is_some_and(|other| other.argument == measure.argument)
        };
        let place = known
            .iter()
            .position(|names| names.len() < MEASURES_MAX && names.iter().any(alike));
        match place {
            Some(place) => known[place].push(measure.name.clone()),
            None => known.push(vec![measure.name.clone()]),
        }
    }
    if known.len() > TABLES_MAX {
        return Err(Failure::fail(format!(
            "this step has counted distinct values of more than {TABLES_MAX} kinds"
        ))
        .help("rename the step, and it starts empty"));
    }
    Ok(known)
}

impl Counted {
    fn count(&mut self, keys: &Keys, arguments: &mut [Argument], groups: &KeyGroups) -> Result<(), Failure> {
        let Some((first, _)) = self.measures.first() else {
            return Ok(());
        };
        let apart = |place: usize, arguments: &[Argument]| {
            let values = arguments[place].keys.clone();
            values.ok_or_else(|| Failure::bug("distinct values that were not told apart"))
        };
        let mut values = apart(*first, arguments)?;
        let mut rows = Vec::with_capacity(keys.len());
        let mut slots = Vec::with_capacity(keys.len());
        for index in 0..self.measures.len() {
            let (place, bit) = self.measures[index];
            let own = apart(place, arguments)?;
            // Most share an expression, and what it came to.
            if index == 0 || !Arc::ptr_eq(&own, &values) {
                values = own;
                rows = self.rows(place, arguments, keys.len());
                self.slots(keys, &values, (&rows, groups), &mut slots)?;
            }
            let mut fresh = vec![false; keys.len()];
            let masks = &mut self.table.values_mut().0;
            let counts = arguments[place].counts.as_ref();
            for (row, slot) in rows.iter().zip(&slots) {
                let (row, mask) = (*row as usize, &mut masks[*slot as usize]);
                if counts.is_none_or(|counts| counts.is_valid(row)) && *mask & 1 << bit == 0 {
                    *mask |= 1 << bit;
                    fresh[row] = true;
                }
            }
            arguments[place] = Argument {
                counts: Some(NullBuffer::new(BooleanBuffer::from(fresh))),
                ..Argument::default()
            };
        }
        Ok(())
    }

    /// The rows that count for a measure that shares the values of the one at `of`.
    fn rows(&self, of: usize, arguments: &[Argument], rows: usize) -> Vec<u32> {
        let values = arguments[of].keys.as_ref();
        let sharing = self
            .measures
            .iter()
            .map(|(place, _)| &arguments[*place])
            .filter(|other| {
                let both = other.keys.as_ref().zip(values);
                both.is_some_and(|(other, values)| Arc::ptr_eq(other, values))
            });
        let counts: Vec<Option<&NullBuffer>> = sharing.map(|argument| argument.counts.as_ref()).collect();
        let counts = |row: usize| {
            counts
                .iter()
                .any(|counts| counts.is_none_or(|counts| counts.is_valid(row)))
        };
        let all = u32::try_from(rows).unwrap_or(u32::MAX);
        (0..all).filter(|row| counts(*row as usize)).collect()
    }

    /// The slots of the values of some rows.
    fn slots(
        &mut self,
        keys: &Keys,
        values: &Keys,
        (rows, groups): (&[u32], &KeyGroups),
        slots: &mut Vec<u32>,
    ) -> Result<(), Failure> {
        let mut entries = Vec::with_capacity(rows.len());
        let mut whole = SALT.to_vec();
        for row in rows.iter().map(|row| *row as usize) {
            let key = keys.row(row);
            let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
            whole.truncate(SALT.len());
            // With its length in front, a key and its value are not another key and value.
            whole.extend_from_slice(&length.to_le_bytes());
            whole.extend_from_slice(key);
            whole.extend_from_slice(values.row(row));
            let mut entry = [0; ENTRY_BYTES];
            entry[..2].copy_from_slice(&groups.group(key::hash(key)).to_be_bytes());
            entry[2..10].copy_from_slice(&key::hash(&whole[SALT.len()..]).to_le_bytes());
            entry[10..].copy_from_slice(&key::hash(&whole).to_le_bytes());
            entries.push(entry);
        }
        self.table.entries(entries.iter().map(|entry| entry.as_slice()), slots)
    }
}

#[cfg(test)]
mod tests {
    use dataflow::expr::Expression;

    use super::*;

    fn measure(name: &str, argument: &str) -> Measure {
        Measure {
            name: name.to_owned(),
            function: Function::CountDistinct,
            argument: Some(Expression::new(argument)),
            filter: None,
            argument_type: None,
        }
    }

    #[test]
    fn measures_over_the_same_values_share_a_table_and_keep_their_bits() {
        let first = share(&[measure("a", "x"), measure("b", "y"), measure("c", "x")], Vec::new()).unwrap();
        assert_eq!(first, [vec!["a", "c"], vec!["b"]]);
        let without = share(&[measure("c", "x"), measure("b", "y")], first).unwrap();
        assert_eq!(without, [vec!["", "c"], vec!["b"]]);
        let again = share(&[measure("a", "x"), measure("c", "x"), measure("b", "y")], without).unwrap();
        assert_eq!(again, [vec!["", "c", "a"], vec!["b"]], "it begins anew");
    }
}
